//! The call of an HTTP trigger that is neither proxied nor forwarded.

use axum::http::{HeaderMap, Method, Uri, header};
use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{BindingData, Invocation, NetValue, json::Ordered};
use crate::settings::RouteParameters;

/// A request of a client, read whole.
#[derive(Debug)]
pub struct HttpRequest<'a> {
    /// Method.
    pub method: &'a Method,
    /// Path and query.
    pub uri: &'a Uri,
    /// Headers.
    pub headers: &'a HeaderMap,
    /// Values of the route's parameters.
    pub parameters: &'a RouteParameters,
    /// The body; not shown to the function when no length was given.
    pub body: &'a [u8],
}

/// One call.
pub fn invocation(function: &str, binding: &str, request: &HttpRequest<'_>) -> Invocation {
    let query = Ordered::Object(query_members(request.uri.query().unwrap_or_default()));
    let headers = Ordered::Object(header_members(request.headers));
    let parameters =
        request.parameters.iter().map(|(name, value)| (name.clone(), Ordered::String(value.clone())));
    let host = text_header(request.headers, header::HOST.as_str()).unwrap_or("localhost");
    let path_and_query = request.uri.path_and_query().map_or("/", |path| path.as_str());
    let content_type = text_header(request.headers, header::CONTENT_TYPE.as_str()).unwrap_or_default();
    let binary =
        content_type.starts_with("application/octet-stream") || content_type.starts_with("multipart/");
    let text = String::from_utf8_lossy(request.body);
    // A chunked body has no length, and the host then shows none.
    let has_length = text_header(request.headers, header::CONTENT_LENGTH.as_str())
        .and_then(|length| length.parse::<u64>().ok())
        .is_some_and(|length| length > 0);

    let string = |text: &str| Ordered::String(text.to_owned());
    let mut members = vec![
        ("Url".to_owned(), string(&format!("http://{host}{path_and_query}"))),
        ("Method".to_owned(), string(request.method.as_str())),
        ("Query".to_owned(), query.clone()),
        ("Headers".to_owned(), headers),
        ("Params".to_owned(), Ordered::Object(parameters.collect())),
        ("Identities".to_owned(), identities()),
    ];
    if has_length {
        let body = if binary { STANDARD.encode(request.body) } else { text.clone().into_owned() };
        members.push(("Body".to_owned(), Ordered::String(body)));
    }

    let mut metadata = BindingData::default();
    if has_length && !binary {
        metadata.leak(&text);
    }
    if let Ordered::Object(pairs) = &query {
        for (name, value) in pairs.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("code")) {
            metadata.set(name, NetValue::Json(value.text()));
        }
    }
    for (name, value) in request.parameters {
        metadata.set(name, NetValue::text(value));
    }
    metadata.set("Query", NetValue::Object(query.text()));
    metadata.set("Headers", NetValue::Object(single_headers(request.headers).text()));
    metadata.set_sys(function);
    Invocation {
        data: vec![(binding.to_owned(), NetValue::Object(Ordered::Object(members).text()))],
        metadata,
    }
}

fn identities() -> Ordered {
    // The anonymous identity that a request without authentication has.
    serde_json::from_str(
        r#"[{"AuthenticationType":null,"IsAuthenticated":false,"Actor":null,"BootstrapContext":null,"Claims":[],"Label":null,"Name":null,"NameClaimType":"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name","RoleClaimType":"http://schemas.microsoft.com/ws/2008/06/identity/claims/role"}]"#,
    )
    .unwrap_or(Ordered::Array(Vec::new()))
}

fn text_header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn query_members(query: &str) -> Vec<(String, Ordered)> {
    let mut members: Vec<(String, String)> = Vec::new();
    // More names than this are no query but an attack on the search below.
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()).take(1024) {
        match members.iter_mut().find(|(key, _)| key.eq_ignore_ascii_case(&name)) {
            Some((_, values)) => {
                values.push(',');
                values.push_str(&value);
            }
            None => members.push((name.into_owned(), value.into_owned())),
        }
    }
    members.into_iter().map(|(name, value)| (name, Ordered::String(value))).collect()
}

fn header_members(headers: &HeaderMap) -> Vec<(String, Ordered)> {
    headers
        .keys()
        .map(|name| {
            let values = headers.get_all(name).iter();
            let values =
                values.map(|value| Ordered::String(String::from_utf8_lossy(value.as_bytes()).into_owned()));
            (title_case(name.as_str()), Ordered::Array(values.collect()))
        })
        .collect()
}

fn single_headers(headers: &HeaderMap) -> Ordered {
    let joined = headers.keys().map(|name| {
        let values: Vec<_> =
            headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        (title_case(name.as_str()), Ordered::String(values.join(",")))
    });
    Ordered::Object(joined.collect())
}

/// `content-type` as `Content-Type`: the server side of .NET shows known headers that way.
fn title_case(name: &str) -> String {
    let mut result = String::with_capacity(name.len());
    let mut start = true;
    for character in name.chars() {
        result.push(if start { character.to_ascii_uppercase() } else { character });
        start = character == '-';
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn a_request_becomes_an_object() {
        let uri: Uri = "/api/twins/arm?code=secret&a=1&a=2".parse().unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("host", "localhost:7071".parse().unwrap());
        headers.insert("content-length", "13".parse().unwrap());
        headers.insert("content-type", "application/json".parse().unwrap());
        let parameters = vec![("id".to_owned(), "arm".to_owned())];
        let mut request = HttpRequest {
            method: &Method::POST,
            uri: &uri,
            headers: &headers,
            parameters: &parameters,
            body: br#"{"limit":2.5}"#,
        };
        let body: Value = serde_json::from_slice(&invocation("api", "req", &request).body(None)).unwrap();
        let data = &body["Data"]["req"];
        assert_eq!(data["Url"], "http://localhost:7071/api/twins/arm?code=secret&a=1&a=2");
        assert_eq!(data["Query"]["a"], "1,2");
        assert_eq!(data["Headers"]["Content-Type"][0], "application/json");
        assert_eq!(data["Params"]["id"], "arm");
        assert_eq!(data["Body"], "{\"limit\":2.5}");
        assert_eq!(body["Metadata"]["limit"], "\"2.5\"");
        assert_eq!(body["Metadata"]["a"], "\"1,2\"");
        assert_eq!(body["Metadata"]["id"], "\"arm\"");
        assert_eq!(body["Metadata"].get("code"), None);
        assert!(body["Metadata"]["Query"].is_object());

        let mut chunked = headers.clone();
        chunked.remove("content-length");
        request.headers = &chunked;
        let body: Value = serde_json::from_slice(&invocation("api", "req", &request).body(None)).unwrap();
        assert_eq!(body["Data"]["req"].get("Body"), None);
    }
}
