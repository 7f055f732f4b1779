"""What ministack cannot take of the stack as it is, and what is deployed in its place.

Each deviation says what is changed, the fault of ministack that makes it
necessary, and how that is known. A deviation that changes nothing is not told, so
that the list can be seen to shrink.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """Where the stack is deployed."""

    endpoint: str


@dataclass(frozen=True)
class Deviation:
    """A change of the template, made in place."""

    what: str
    fault: str
    evidence: str
    change: Callable[[dict, Place], None]


def deviate(template, place):
    """The template as it can be deployed, and the deviations that changed it."""
    template, made = copy.deepcopy(template), []
    for deviation in DEVIATIONS:
        before = copy.deepcopy(template)
        deviation.change(template, place)
        if template != before:
            made.append(deviation)
    return template, made


def of_type(template, resource_type):
    """The resources of a type, by their logical ids."""
    resources = template["Resources"].items()
    return {name: one for name, one in resources if one["Type"] == resource_type}


def functions(template):
    return of_type(template, "AWS::Lambda::Function").values()


def variables(function):
    return function["Properties"].setdefault("Environment", {}).setdefault("Variables", {})


def leave_out(resource_type, having=None):
    """The change that leaves out resources, which nothing refers to: all of a type, or those
    that have a property."""

    def change(template, _place):
        for name, resource in of_type(template, resource_type).items():
            if having is None or having in resource["Properties"]:
                del template["Resources"][name]

    return change


def call_services_here(template, place):
    for function in functions(template):
        variables(function)["AWS_ENDPOINT_URL"] = place.endpoint


def push_here(template, place):
    stages = of_type(template, "AWS::ApiGatewayV2::Stage").values()
    apis = of_type(template, "AWS::ApiGatewayV2::Api").items()
    web_socket = [name for name, api in apis if api["Properties"]["ProtocolType"] == "WEBSOCKET"]
    [stage] = [one for one in stages if one["Properties"]["ApiId"].get("Ref") in web_socket]
    properties = stage["Properties"]
    api = f"{place.endpoint}/_aws/execute-api/"
    url = {"Fn::Join": ["", [api, properties["ApiId"], "/", properties["StageName"]]]}
    for function in functions(template):
        if "MANAGEMENT_ENDPOINT" in variables(function):
            variables(function)["MANAGEMENT_ENDPOINT"] = url


DEVIATIONS = [
    Deviation(
        what="AWS::ApiGatewayV2::RouteResponse is left out",
        fault="the type is unknown, and a route answers without one",
        evidence="1.5.33: CreateStack answers 'Template format error: Unrecognized resource "
        "types: [AWS::ApiGatewayV2::RouteResponse]'; apigateway.handle_websocket sends every "
        "body that a route's function returns",
        change=leave_out("AWS::ApiGatewayV2::RouteResponse"),
    ),
    Deviation(
        what="AWS::Logs::QueryDefinition is left out",
        fault="the type is unknown",
        evidence="1.5.33: CreateStack answers 'Template format error: Unrecognized resource "
        "types: [AWS::Logs::QueryDefinition]'",
        change=leave_out("AWS::Logs::QueryDefinition"),
    ),
    Deviation(
        what="alarms on several metrics, or on an expression, are left out",
        fault="an alarm is on one metric by its name",
        evidence="1.5.33: the stack rolls back with 'AWS::CloudWatch::Alarm Properties.Metrics "
        "(metric math) is not supported; use MetricName and Namespace.'",
        change=leave_out("AWS::CloudWatch::Alarm", having="Metrics"),
    ),
    Deviation(
        what="the functions get AWS_ENDPOINT_URL",
        fault="the names of AWS's endpoints do not lead to ministack, and it sets the variable "
        "only where it has it itself",
        evidence="1.5.33: lambda_svc._provided_worker_env copies AWS_ENDPOINT_URL from its own "
        "environment, or the function's",
        change=call_services_here,
    ),
    Deviation(
        what="MANAGEMENT_ENDPOINT is the path under ministack's own address",
        fault="the API's host name does not lead to ministack, and what its events call "
        "domainName has no port",
        evidence="1.5.33: apigateway._ws_request_context sends "
        "'domainName': '{apiId}.execute-api.localhost'; app._parse_execute_api_url takes "
        "/_aws/execute-api/{apiId}/{stage}/@connections/{id}",
        change=push_here,
    ),
]
