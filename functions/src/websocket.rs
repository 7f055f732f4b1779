//! WebSocket events, as far as every route reads them.

use aws_lambda_events::apigw::{
    ApiGatewayProxyResponse, ApiGatewayWebsocketProxyRequest,
    ApiGatewayWebsocketProxyRequestContext,
};
use fanout_core::connection::{ConnectionId, Recipient};
use fanout_core::identity::{Identity, Permission};
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

/// Reads who is behind a connection from what the authorizer said when it was
/// opened; `None` where it said nothing, or nothing that can be read.
pub(crate) fn identity_of(context: &ApiGatewayWebsocketProxyRequestContext) -> Option<Identity> {
    let field = |name| context.authorizer.fields.get(name).and_then(Value::as_str);
    Some(Identity {
        user_id: Some(field("userId")?.to_owned()),
        org_id: field("orgId").map(ToOwned::to_owned),
        topics: Permission::from_text(field("topics")).ok()?,
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

    use super::Request;

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
