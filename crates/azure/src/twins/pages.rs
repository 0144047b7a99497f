use std::fmt;

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::TwinsClient;
use crate::{Error, http::Call, retry::Safety};

/// A service that hands out so many pages without an item is stuck.
const MOST_EMPTY_PAGES: u32 = 100;

/// One page of a list or query.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    /// The items, perhaps none although more pages follow.
    pub items: Vec<T>,
    /// Query units that a query's page cost.
    pub charge: Option<f64>,
}

/// The pages of a list or query, fetched one by one as they are asked for.
pub struct Pages<T> {
    client: TwinsClient,
    what: String,
    next: Next,
    empty_pages: u32,
    read: fn(&str, Value) -> Result<T, Error>,
}

#[derive(Clone, PartialEq)]
enum Next {
    Link(Url),
    Query { url: Url, sql: String, token: Option<String> },
    End,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PageBody {
    value: Vec<Value>,
    next_link: Option<String>,
    continuation_token: Option<String>,
}

impl Pages<Value> {
    pub(super) fn query(client: TwinsClient, url: Url, sql: &str) -> Self {
        let next = Next::Query { url, sql: sql.to_owned(), token: None };
        Self { client, what: "query twins".to_owned(), next, empty_pages: 0, read: |_, value| Ok(value) }
    }
}

impl<T> Pages<T> {
    pub(super) fn links(
        client: TwinsClient,
        what: String,
        first: Url,
        read: fn(&str, Value) -> Result<T, Error>,
    ) -> Self {
        Self { client, what, next: Next::Link(first), empty_pages: 0, read }
    }

    /// The next page, or `None` after the last. After an error the same page can be asked for again.
    ///
    /// # Errors
    /// Refusals with the service's code; [`Error::Answer`] when the pages go in circles.
    pub async fn next_page(&mut self) -> Result<Option<Page<T>>, Error> {
        let call = match &self.next {
            Next::End => return Ok(None),
            Next::Link(url) => Call::new(&self.what, Method::GET, url.clone()),
            Next::Query { url, token: Some(token), .. } => Call::new(&self.what, Method::POST, url.clone())
                .json(&json!({ "continuationToken": token }))?,
            Next::Query { url, sql, .. } => {
                Call::new(&self.what, Method::POST, url.clone()).json(&json!({ "query": sql }))?
            }
        };
        let answer = self.client.transport.succeed(&call, Safety::Idempotent).await?;
        let charge = answer.header("query-charge").and_then(|charge| charge.parse().ok());
        let body: PageBody = answer.parse(&self.what)?;
        let next = match &self.next {
            Next::Query { url, sql, .. } => match body.continuation_token.filter(|token| !token.is_empty()) {
                Some(token) => Next::Query { url: url.clone(), sql: sql.clone(), token: Some(token) },
                None => Next::End,
            },
            _ => match body.next_link.filter(|link| !link.is_empty()) {
                Some(link) => Next::Link(self.client.follow(&self.what, &link)?),
                None => Next::End,
            },
        };
        self.empty_pages = if body.value.is_empty() { self.empty_pages + 1 } else { 0 };
        if next != Next::End && (next == self.next || self.empty_pages > MOST_EMPTY_PAGES) {
            return Err(Error::answer(&self.what, "the pages go in circles"));
        }
        let items =
            body.value.into_iter().map(|item| (self.read)(&self.what, item)).collect::<Result<_, _>>()?;
        self.next = next;
        Ok(Some(Page { items, charge }))
    }

    /// All items of all pages.
    ///
    /// # Errors
    /// Like [`Pages::next_page`], and [`Error::Answer`] when there are more than `most`.
    pub async fn collect(mut self, most: usize) -> Result<Vec<T>, Error> {
        let mut items = Vec::new();
        while let Some(page) = self.next_page().await? {
            items.extend(page.items);
            if items.len() > most {
                return Err(Error::answer(
                    &self.what,
                    format!("there are more than {most} items; ask for fewer"),
                ));
            }
        }
        Ok(items)
    }
}

impl<T> fmt::Debug for Pages<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Pages").field("what", &self.what).finish_non_exhaustive()
    }
}
