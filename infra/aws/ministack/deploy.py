"""Deploys the synthesized stack to a running ministack, as far as it can.

    python deploy.py CDK_OUT ENDPOINT

CDK_OUT is the directory that `cdk synth` wrote, for x86_64 and with the packages
of the functions; ENDPOINT is where ministack listens, http://127.0.0.1:PORT.

Everything goes through S3 and CloudFormation as `cdk deploy` would do it. What
ministack cannot take is changed before, by the list in deviations.py; each change
that was made is told on standard error, with the reason. On standard output there is
{"WebSocketUrl": …, "PublishUrl": …}, with "TokenSecret" where tokens are asked for.
"""

import io
import json
import re
import sys
import zipfile
from pathlib import Path
from urllib.parse import urlsplit

import botocore.session
from botocore.config import Config
from botocore.exceptions import WaiterError

from deviations import Place, deviate

REGION = "us-east-1"
STACK = "fanout"
# What tells apart what `cdk bootstrap` leaves behind, unless another is given.
QUALIFIER = "hnb659fds"
# A stack of this size takes ministack a few seconds.
DELAY_SECONDS = 1
MAX_ATTEMPTS = 180


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    assembly, endpoint = Path(sys.argv[1]), sys.argv[2].rstrip("/")
    template_file, assets = stack_of(assembly)
    bucket = bootstrap(endpoint)
    for asset in assets:
        upload(asset, assembly, bucket, endpoint)
    template, made = deviate(json.loads(template_file.read_text()), Place(endpoint))
    for deviation in made:
        tell(deviation)
    outputs = create_stack(template, bucket, endpoint)
    deployed = {
        "WebSocketUrl": local(outputs["WebSocketUrl"], "ws", endpoint),
        "PublishUrl": local(outputs["PublishUrl"], "http", endpoint),
    }
    if "TokenSecretArn" in outputs:
        secrets = client("secretsmanager", endpoint)
        secret = secrets.get_secret_value(SecretId=outputs["TokenSecretArn"])
        deployed["TokenSecret"] = secret["SecretString"]
    print(json.dumps(deployed))


def client(service, endpoint):
    """An AWS client; whatever the credentials, ministack takes them."""
    session = botocore.session.get_session()
    session.set_credentials("local", "local")
    config = Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1})
    return session.create_client(service, region_name=REGION, endpoint_url=endpoint, config=config)


def stack_of(assembly):
    """The template of the assembly's only stack, and the assets that it needs."""
    artifacts = json.loads((assembly / "manifest.json").read_text())["artifacts"]
    stacks = [one for one in artifacts.values() if one["type"] == "aws:cloudformation:stack"]
    if len(stacks) != 1:
        sys.exit(f"{assembly}: expected one stack, found {len(stacks)}")
    template_file = assembly / stacks[0]["properties"]["templateFile"]
    assets = []
    for artifact in artifacts.values():
        if artifact["type"] == "cdk:asset-manifest":
            manifest = json.loads((assembly / artifact["properties"]["file"]).read_text())
            assets.extend(manifest["files"].values())
    # The template itself is among them, as it would be without deviations.
    return template_file, [one for one in assets if one["source"]["path"] != template_file.name]


def bootstrap(endpoint):
    """Makes what `cdk bootstrap` makes; returns the bucket of assets."""
    account = client("sts", endpoint).get_caller_identity()["Account"]
    bucket = f"cdk-{QUALIFIER}-assets-{account}-{REGION}"
    client("s3", endpoint).create_bucket(Bucket=bucket)
    client("ssm", endpoint).put_parameter(
        Name=f"/cdk-bootstrap/{QUALIFIER}/version", Type="String", Value="30", Overwrite=True
    )
    return bucket


def upload(asset, assembly, bucket, endpoint):
    source = assembly / asset["source"]["path"]
    body = zipped(source) if asset["source"]["packaging"] == "zip" else source.read_bytes()
    for destination in asset["destinations"].values():
        client("s3", endpoint).put_object(Bucket=bucket, Key=destination["objectKey"], Body=body)


def zipped(directory):
    """A directory as a zip; what could be run still can."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(path for path in directory.rglob("*") if path.is_file()):
            archive.write(file, file.relative_to(directory))
    return packed.getvalue()


def create_stack(template, bucket, endpoint):
    """Creates the stack and returns its outputs."""
    # Too large to be sent along: at most 51,200 bytes may be.
    key = f"{STACK}.template.json"
    client("s3", endpoint).put_object(Bucket=bucket, Key=key, Body=json.dumps(template).encode())
    cloudformation = client("cloudformation", endpoint)
    cloudformation.create_stack(
        StackName=STACK,
        TemplateURL=f"{endpoint}/{bucket}/{key}",
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"],
    )
    waiter = cloudformation.get_waiter("stack_create_complete")
    try:
        waiter.wait(
            StackName=STACK, WaiterConfig={"Delay": DELAY_SECONDS, "MaxAttempts": MAX_ATTEMPTS}
        )
    except WaiterError as error:
        events = cloudformation.describe_stack_events(StackName=STACK)["StackEvents"]
        failed = [
            f"{event['LogicalResourceId']} ({event['ResourceType']}): {event.get('ResourceStatusReason')}"
            for event in events
            if event["ResourceStatus"].endswith("_FAILED")
        ]
        sys.exit("\n".join([f"the stack was not created: {error}", *failed]))
    stack = cloudformation.describe_stacks(StackName=STACK)["Stacks"][0]
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


def local(url, scheme, endpoint):
    """The address here of an API that the stack's outputs name by its host, as on AWS."""
    named = re.fullmatch(r"\w+://(\w+)\.execute-api\.[^/]+(/.*)?", url)
    if named is None:
        sys.exit(f"expected the URL of an API, got {url!r}")
    stage = (named[2] or "").rstrip("/") or "/$default"
    return f"{scheme}://{urlsplit(endpoint).netloc}/_aws/execute-api/{named[1]}{stage}"


def tell(deviation):
    print(
        f"deviation: {deviation.what}\n  fault: {deviation.fault}\n  evidence: {deviation.evidence}",
        file=sys.stderr,
    )


if __name__ == "__main__":
    main()
