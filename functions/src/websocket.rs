//! WebSocket events, as far as every route reads them.

use aws_lambda_events::apigw::{
    ApiGatewayProxyResponse, ApiGatewayWebsocketProxyRequest,
    ApiGatewayWebsocketProxyRequestContext,
};
use fanout_core::connection::{ConnectionId, Recipient};
use fanout_core::identity::{Identity, Permission};
use fanout_core::topic::Topic;
use jiff::Timestamp;
use lambda_runtime::Error;
use serde_json::Value;

pub(crate) type Request = ApiGatewayWebsocketProxyRequest;
pub(crate) type Response = ApiGatewayProxyResponse;

/// Reads which connection an event is about.
///
/// # Errors
/// An event without a connection id, or with an impossible time: it is not
/// from a WebSocket API.
pub(crate) fn connection_of(
    context: &ApiGatewayWebsocketProxyRequestContext,
) -> Result<Recipient, Error> {
    let id = context.connection_id.as_deref();
    let id = id.ok_or("event has no requestContext.connectionId: not from a WebSocket API")?;
    let connected_at = Timestamp::from_millisecond(context.connected_at)
        .map_err(|error| format!("event has an impossible requestContext.connectedAt: {error}"))?;
    Ok(Recipient {
        connection_id: ConnectionId::from(id),
        connected_at,
    })
}

/// Reads who is behind a connection, as the authorizer said when it opened.
///
/// `None` if the authorizer said nothing, or something that is not understood:
/// ids that are none, or a permission that cannot be read.
pub(crate) fn identity_of(context: &ApiGatewayWebsocketProxyRequestContext) -> Option<Identity> {
    let field = |name: &str| context.authorizer.fields.get(name).map(Value::as_str);
    // What is there must be a text; what is not there is no error by itself.
    let (user_id, org_id) = (field("userId")??, field("orgId"));
    Topic::of_user(user_id).ok()?;
    let org_id = match org_id {
        Some(org_id) => Some(org_id.filter(|id| Topic::of_org(id).is_ok())?),
        None => None,
    };
    let topics = match field("topics") {
        Some(topics) => Some(topics?),
        None => None,
    };
    Some(Identity {
        user_id: Some(user_id.to_owned()),
        org_id: org_id.map(ToOwned::to_owned),
        topics: Permission::from_text(topics).ok()?,
    })
}

/// Answers with a status and, for `$connect` a refusal's text, for the other
/// routes a frame.
pub(crate) fn respond(status: i64, body: Option<String>) -> Response {
    let mut response = Response::default();
    response.status_code = status;
    response.body = body.map(Into::into);
    response
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn identity(authorizer: &Value) -> Option<Identity> {
        let mut event = event("$default", &json!({}));
        let fields = authorizer.as_object().unwrap().clone();
        event.request_context.authorizer.fields = fields.into_iter().collect();
        identity_of(&event.request_context)
    }

    #[test]
    fn an_identity_is_what_the_authorizer_said() {
        let context =
            json!({"principalId": "u1", "userId": "u1", "orgId": "o1", "topics": "a b/*"});
        let expected = Identity {
            user_id: Some("u1".to_owned()),
            org_id: Some("o1".to_owned()),
            topics: Permission::from_text(Some("a b/*")).unwrap(),
        };
        assert_eq!(identity(&context), Some(expected));
        let unrestricted = identity(&json!({"userId": "u1"})).unwrap();
        assert_eq!(unrestricted.topics, Permission::All);
    }

    #[test]
    fn without_a_user_or_with_an_unreadable_permission_there_is_none() {
        for context in [
            json!({}),
            json!({"principalId": "u1"}),
            json!({"userId": ""}),
            json!({"userId": 1}),
            json!({"userId": "u1", "orgId": ""}),
            json!({"userId": "u1", "orgId": 1}),
            json!({"userId": "u1", "topics": "a|b"}),
            json!({"userId": "u1", "topics": 1}),
        ] {
            assert_eq!(identity(&context), None, "{context}");
        }
    }

    /// An event as API Gateway sends it, with `more` in its top level.
    pub(crate) fn event(route_key: &str, more: &Value) -> Request {
        let mut event = json!({
            "requestContext": {
                "routeKey": route_key,
                "connectionId": "TXzPWdnOjoECGjA=",
                "connectedAt": 1_700_000_000_000_i64,
                "requestTimeEpoch": 1_700_000_000_001_i64,
                "stage": "prod",
            },
            "isBase64Encoded": false,
        });
        let (event_fields, more) = (event.as_object_mut().unwrap(), more.as_object().unwrap());
        event_fields.extend(more.clone());
        serde_json::from_value(event).unwrap()
    }
}
