"""Makes one topology in an emulator of AWS: tables, functions, a WebSocket API. Reads what to make as JSON from stdin
and prints the API's id. Templates are for AWS itself (deploy/aws); emulators know a part of them only."""

import json
import sys
import time

import botocore.session

REGION = "us-east-1"
ACCOUNT = "000000000000"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/twinstore"
INBOX = {"eventName": ["INSERT"], "dynamodb": {"Keys": {"stream": {"S": [{"prefix": "inbox/"}]}}}}
NEWS = {"dynamodb": {"Keys": {"key": {"S": ["head", {"prefix": "record/"}]}}}}


def main():
    wanted = json.load(sys.stdin)
    session = botocore.session.get_session()
    session.set_credentials("local", "local")

    def client(service):
        return session.create_client(service, region_name=REGION, endpoint_url=wanted["endpoint"])

    tables, functions, gateway = client("dynamodb"), client("lambda"), client("apigatewayv2")
    for name in wanted["models"]:
        make_table(tables, f"{name}_events", "seq", "N")
        make_table(tables, name, "key", "S")
    make_table(tables, "twin_store", "key", "S")
    make_table(tables, "twin_connections", "key", "S")
    api = gateway.create_api(
        Name="twinstore", ProtocolType="WEBSOCKET", RouteSelectionExpression="$request.body.action"
    )["ApiId"]

    with open(wanted["zip"], "rb") as file:
        code = file.read()
    variables = {
        "TWINSTORE_MODELS": ",".join(f"{name}={file}" for name, file in wanted["models"].items()),
        "TWINSTORE_STORE": "?create=false&endpoint=" + wanted["endpoint"],
        "TWINSTORE_GATEWAY": f"{wanted['endpoint']}/_aws/execute-api/{api}/sync",
        "TWINSTORE_PUSH": "1",
        "RUST_LOG": "warn",
    }

    def make_function(name):
        functions.create_function(
            FunctionName=name,
            Runtime="provided.al2023",
            Handler="bootstrap",
            Role=ROLE,
            Timeout=28,
            MemorySize=512,
            Code={"ZipFile": code},
            Environment={"Variables": {**variables, "TWINSTORE_FUNCTION": name}},
        )
        return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"

    if wanted["topology"] == "coupled":
        front = make_function("coupled")
    else:
        front = make_function("ingest")
        for name in ("reduce", "push"):
            make_function(name)
        for name in wanted["models"]:
            follow(tables, functions, f"{name}_events", "reduce", INBOX)
            follow(tables, functions, name, "push", NEWS)
    uri = f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{front}/invocations"
    integration = gateway.create_integration(
        ApiId=api, IntegrationType="AWS_PROXY", IntegrationUri=uri, IntegrationMethod="POST"
    )["IntegrationId"]
    for route in ("$connect", "$disconnect", "$default"):
        gateway.create_route(ApiId=api, RouteKey=route, Target=f"integrations/{integration}")
    gateway.create_stage(ApiId=api, StageName="sync", AutoDeploy=True)
    print(api)


def make_table(tables, name, sort, kind):
    tables.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": "stream", "AttributeType": "S"},
            {"AttributeName": sort, "AttributeType": kind},
        ],
        KeySchema=[
            {"AttributeName": "stream", "KeyType": "HASH"},
            {"AttributeName": sort, "KeyType": "RANGE"},
        ],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    while tables.describe_table(TableName=name)["Table"]["TableStatus"] != "ACTIVE":
        time.sleep(0.1)


def follow(tables, functions, table, function, pattern):
    arn = tables.describe_table(TableName=table)["Table"]["LatestStreamArn"]
    functions.create_event_source_mapping(
        EventSourceArn=arn,
        FunctionName=function,
        StartingPosition="TRIM_HORIZON",
        BatchSize=100,
        FunctionResponseTypes=["ReportBatchItemFailures"],
        FilterCriteria={"Filters": [{"Pattern": json.dumps(pattern)}]},
    )


main()
