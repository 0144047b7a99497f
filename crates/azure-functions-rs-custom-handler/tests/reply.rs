//! What the host is answered.

// What the tests share fails as they do.
#![allow(clippy::unwrap_used, clippy::panic)]

use axum::http::StatusCode;
use azure_functions_rs_custom_handler::{HttpOutput, Reply, ReplyError, would_be_decoded};
use serde_json::json;

#[test]
fn a_reply_is_never_empty() {
    assert_eq!(Reply::ok().into_json(), json!({ "Outputs": {}, "Logs": [], "ReturnValue": null }));
}

#[test]
fn texts_that_look_like_base64_survive_the_host() {
    // The host decodes each of these once.
    for (text, encoded) in
        [("test", "dGVzdA=="), ("abcd1234", "YWJjZDEyMzQ="), ("dGVzdA==", "ZEdWemRBPT0="), ("", "")]
    {
        let reply = Reply::ok().output("out", text).return_value(text).into_json();
        assert_eq!(reply["Outputs"]["out"], encoded);
        assert_eq!(reply["ReturnValue"], encoded);
    }
    let reply = Reply::ok().output("out", "no base64!").into_json();
    assert_eq!(reply["Outputs"]["out"], "no base64!");
    assert_eq!(Reply::ok().output_bytes("out", &[1, 2, 255]).into_json()["Outputs"]["out"], "AQL/");
}

#[test]
fn messages_travel_in_a_list() {
    let reply = Reply::ok().message("out", &"test").unwrap().message("out", &json!({ "a": 1 })).unwrap();
    assert_eq!(reply.into_json()["Outputs"], json!({ "out": ["test", { "a": 1 }] }));
}

#[test]
fn a_binding_is_a_list_or_a_value() {
    let error = Reply::ok().output("out", "value!").message("out", &1).unwrap_err();
    assert!(matches!(error, ReplyError::NotMessages { .. }), "{error}");
}

#[test]
fn a_message_without_json_form_is_an_error() {
    let map = std::collections::HashMap::from([((1, 2), 3)]);
    assert!(matches!(Reply::ok().message("out", &map), Err(ReplyError::NotJson { .. })));
}

#[test]
fn the_rules_of_dot_net_decide_what_is_base64() {
    for text in ["", "test", "te st", "te\r\nst", "ab==", "abc=", "a b = = "] {
        assert!(would_be_decoded(text), "{text:?}");
    }
    for text in ["tes", "te-t", "a=bc", "====", "=", "ab=", "täst", "{\"a\":1}", "abcde"] {
        assert!(!would_be_decoded(text), "{text:?}");
    }
}

#[test]
fn an_http_response_is_an_object() {
    let reply = Reply::ok()
        .http("res", HttpOutput::json(201, json!({ "a": 1 })).header("location", "/x"))
        .into_json();
    assert_eq!(
        reply["Outputs"]["res"],
        json!({ "statusCode": 201, "headers": { "content-type": "application/json", "location": "/x" }, "body": { "a": 1 } })
    );
    let reply = Reply::ok().http("res", HttpOutput::text(200, "test")).into_json();
    assert_eq!(reply["Outputs"]["res"]["body"], "test");
}

#[test]
fn a_failure_is_never_a_success_or_a_redirection() {
    for (asked, given) in [(503, 503), (422, 422), (200, 500), (302, 500), (204, 500)] {
        let reply = Reply::failed(StatusCode::from_u16(asked).unwrap(), "the disk is full");
        assert_eq!(reply.status().as_u16(), given);
        assert_eq!(reply.into_json(), json!({ "error": "the disk is full" }));
    }
}
