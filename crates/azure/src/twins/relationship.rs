use reqwest::Method;
use serde_json::Value;

use super::{IncomingRelationship, Pages, Relationship, TwinsClient, wire};
use crate::{Error, encode::segment, http::Call, retry::Safety};

impl TwinsClient {
    /// Creates or replaces a relationship (the target of one that exists cannot be changed). `etag` is not sent.
    ///
    /// # Errors
    /// A refusal with the service's code, such as `TargetDigitalTwinNotFound`.
    pub async fn put_relationship(&self, relationship: &Relationship) -> Result<Relationship, Error> {
        let Relationship { source, id, name, target, properties, .. } = relationship;
        let what = format!("put relationship {id} of twin {source}");
        let url = self
            .url(&["digitaltwins", &segment(&what, source)?, "relationships", &segment(&what, id)?], &[])?;
        let mut body = properties.clone();
        body.insert("$relationshipName".into(), Value::String(name.clone()));
        body.insert("$targetId".into(), Value::String(target.clone()));
        let call = Call::new(what, Method::PUT, url).json(&body)?;
        let answer = self.transport.succeed(&call, Safety::Idempotent).await?;
        wire::relationship(&call.what, answer.parse(&call.what)?)
    }

    /// Reads a relationship.
    ///
    /// # Errors
    /// All but "not found", which is `None`.
    pub async fn get_relationship(&self, source: &str, id: &str) -> Result<Option<Relationship>, Error> {
        let what = format!("get relationship {id} of twin {source}");
        let url = self
            .url(&["digitaltwins", &segment(&what, source)?, "relationships", &segment(&what, id)?], &[])?;
        let call = Call::new(what, Method::GET, url);
        match self.find(&call).await? {
            Some(answer) => wire::relationship(&call.what, answer.parse(&call.what)?).map(Some),
            None => Ok(None),
        }
    }

    /// Deletes a relationship; `false` means that there was none.
    ///
    /// # Errors
    /// A refusal with the service's code.
    pub async fn delete_relationship(&self, source: &str, id: &str) -> Result<bool, Error> {
        let what = format!("delete relationship {id} of twin {source}");
        let url = self
            .url(&["digitaltwins", &segment(&what, source)?, "relationships", &segment(&what, id)?], &[])?;
        Ok(self.find(&Call::new(what, Method::DELETE, url)).await?.is_some())
    }

    /// The relationships that begin at a twin, all or those of one name.
    ///
    /// # Errors
    /// [`Error::Input`] when the id cannot be sent; the pages report the rest.
    pub fn list_relationships(&self, source: &str, name: Option<&str>) -> Result<Pages<Relationship>, Error> {
        let what = format!("list relationships of twin {source}");
        let query: Vec<_> = name.map(|name| ("relationshipName", name)).into_iter().collect();
        let url = self.url(&["digitaltwins", &segment(&what, source)?, "relationships"], &query)?;
        Ok(Pages::links(self.clone(), what, url, wire::relationship))
    }

    /// The relationships that end at a twin.
    ///
    /// # Errors
    /// [`Error::Input`] when the id cannot be sent; the pages report the rest.
    pub fn list_incoming(&self, target: &str) -> Result<Pages<IncomingRelationship>, Error> {
        let what = format!("list incoming relationships of twin {target}");
        let url = self.url(&["digitaltwins", &segment(&what, target)?, "incomingrelationships"], &[])?;
        Ok(Pages::links(self.clone(), what, url, wire::incoming))
    }
}
