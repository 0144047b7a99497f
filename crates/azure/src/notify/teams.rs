use std::fmt;

use reqwest::Method;
use serde_json::{Value, json};
use url::Url;

use super::{explain, options, webhook::host};
use crate::{
    Error,
    encode::{secure_url, shorten},
    http::{Call, HttpOptions, Transport},
    retry::Safety,
};

/// Teams refuses larger messages.
const LARGEST_MESSAGE: usize = 28 * 1024;

/// What a card shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Card {
    /// First line, large.
    pub title: String,
    /// A paragraph below it.
    pub text: String,
    /// Names and values, one a line; 30 at most are shown.
    pub facts: Vec<(String, String)>,
    /// A button: its words and an https address.
    pub link: Option<(String, String)>,
}

/// Posts Adaptive Cards to a Teams channel or chat through a workflow's address ("Send webhook alerts to a channel").
/// The address is a secret: `Debug` shows its host only.
pub struct Teams {
    transport: Transport,
    url: Url,
}

impl Teams {
    /// A sender to a workflow's address.
    ///
    /// # Errors
    /// [`Error::Settings`] or [`Error::File`] when the address or the extra certificate authorities cannot be used.
    pub fn new(url: &str, settings: &HttpOptions) -> Result<Self, Error> {
        let url = secure_url("the address of the Teams workflow", url)?;
        let transport = Transport::new(&url, None, &options(settings), explain)?.cut_long_answers();
        Ok(Self { transport, url })
    }

    /// Posts a card. A workflow does not know ids, so a lost answer is not tried again.
    ///
    /// # Errors
    /// A refusal, or what was tried without an answer.
    pub async fn send(&self, card: &Card) -> Result<(), Error> {
        let what = format!("post a card to {}", host(&self.url));
        let call = Call::new(&what, Method::POST, self.url.clone()).json(&message(card))?;
        if call.body.as_ref().is_some_and(|body| body.len() > LARGEST_MESSAGE) {
            return Err(Error::input(&what, "Teams takes 28 KiB at most; shorten the texts"));
        }
        self.transport.succeed(&call, Safety::Once).await.map(drop)
    }
}

/// The message that a workflow takes: one attachment, an Adaptive Card of version 1.4.
fn message(card: &Card) -> Value {
    let block = |text: &str, more: Value| {
        let mut block = json!({ "type": "TextBlock", "text": plain(text), "wrap": true });
        if let (Some(block), Value::Object(more)) = (block.as_object_mut(), more) {
            block.extend(more);
        }
        block
    };
    let mut body = vec![block(&card.title, json!({ "size": "Large", "weight": "Bolder" }))];
    if !card.text.is_empty() {
        body.push(block(&card.text, json!({})));
    }
    if !card.facts.is_empty() {
        let facts = card.facts.iter().take(30);
        let facts: Vec<_> =
            facts.map(|(title, value)| json!({ "title": plain(title), "value": plain(value) })).collect();
        body.push(json!({ "type": "FactSet", "facts": facts }));
    }
    let mut content = json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
    });
    if let Some((words, address)) = card.link.as_ref().filter(|(_, address)| address.starts_with("https://"))
    {
        content["actions"] = json!([{ "type": "Action.OpenUrl", "title": words, "url": address }]);
    }
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": content,
        }],
    })
}

/// Cards read Markdown: what comes from telemetry must not become links or emphasis.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in shorten(text, 2000).chars() {
        if "\\`*_[]".contains(character) {
            out.push('\\');
        }
        out.push(character);
    }
    out
}

impl fmt::Debug for Teams {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Teams").field("host", &host(&self.url)).finish_non_exhaustive()
    }
}
