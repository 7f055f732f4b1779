import json
import unittest

from deviations import DEVIATIONS, Place, deviate

PLACE = Place("http://127.0.0.1:4566")


def resource(kind, **properties):
    return {"Type": kind, "Properties": properties}


def stack(**resources):
    web_socket = {
        "Http": resource("AWS::ApiGatewayV2::Api", ProtocolType="HTTP"),
        "Sockets": resource("AWS::ApiGatewayV2::Api", ProtocolType="WEBSOCKET"),
        "HttpStage": resource("AWS::ApiGatewayV2::Stage", ApiId={"Ref": "Http"}, StageName="$default"),
        "Stage": resource("AWS::ApiGatewayV2::Stage", ApiId={"Ref": "Sockets"}, StageName="prod"),
    }
    return {"Resources": web_socket | resources}


class Deviations(unittest.TestCase):
    def test_what_needs_no_change_is_left_alone_and_not_told(self):
        template = stack(Queue=resource("AWS::SQS::Queue"))
        deviated, made = deviate(template, PLACE)
        self.assertEqual(deviated, template)
        self.assertEqual(made, [])

    def test_functions_call_services_and_push_where_ministack_is(self):
        variables = {"MANAGEMENT_ENDPOINT": "https://api.execute-api.us-east-1.amazonaws.com/prod"}
        worker = resource("AWS::Lambda::Function", Environment={"Variables": variables})
        template = stack(Worker=worker, Connect=resource("AWS::Lambda::Function"))
        deviated, made = deviate(template, PLACE)
        functions = deviated["Resources"]
        worker = functions["Worker"]["Properties"]["Environment"]["Variables"]
        url = [f"{PLACE.endpoint}/_aws/execute-api/", {"Ref": "Sockets"}, "/", "prod"]
        self.assertEqual(worker["MANAGEMENT_ENDPOINT"], {"Fn::Join": ["", url]})
        self.assertEqual(worker["AWS_ENDPOINT_URL"], PLACE.endpoint)
        connect = functions["Connect"]["Properties"]["Environment"]["Variables"]
        self.assertEqual(connect, {"AWS_ENDPOINT_URL": PLACE.endpoint})
        self.assertEqual(len(made), 2)
        # The template that was given is still the one for AWS.
        self.assertEqual(template["Resources"]["Worker"]["Properties"]["Environment"]["Variables"], variables)

    def test_what_ministack_does_not_know_is_left_out_and_nothing_else(self):
        simple = resource("AWS::CloudWatch::Alarm", MetricName="Errors", Namespace="AWS/Lambda")
        template = stack(
            Simple=simple,
            Math=resource("AWS::CloudWatch::Alarm", Metrics=[]),
            Query=resource("AWS::Logs::QueryDefinition"),
            Response=resource("AWS::ApiGatewayV2::RouteResponse"),
        )
        deviated, made = deviate(template, PLACE)
        self.assertEqual(deviated["Resources"], stack(Simple=simple)["Resources"])
        self.assertEqual(len(made), 3)

    def test_every_deviation_has_its_evidence(self):
        for deviation in DEVIATIONS:
            self.assertTrue(deviation.evidence.startswith("1.5.33: "), deviation.what)


class KnownFaults(unittest.TestCase):
    def test_every_known_fault_has_its_evidence(self):
        with open("known-faults.json") as file:
            faults = json.load(file)
        for fault in faults:
            self.assertEqual(set(fault), {"case", "fault", "says", "evidence"})
            self.assertTrue(all(fault.values()), fault)


if __name__ == "__main__":
    unittest.main()
