"""A handler with threads: every page of the Scan, 64 threads, who is gone is
deleted, and what fails is counted and stops nobody else.

boto3 keeps 10 connections unless told otherwise, and would open one for most of
the pushes: it is told.
"""

import json
import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

THREADS = 64
TABLE = os.environ["CONNECTIONS_TABLE"]

config = Config(max_pool_connections=THREADS)
dynamodb = boto3.client("dynamodb", config=config)
gateway = boto3.client(
    "apigatewaymanagementapi",
    endpoint_url=os.environ["MANAGEMENT_ENDPOINT"],
    config=config,
)


def handler(event):
    """Pushes the event's body to every connection."""

    def push(connection):
        try:
            gateway.post_to_connection(
                ConnectionId=connection["connectionId"]["S"], Data=event["body"]
            )
            return "delivered"
        except gateway.exceptions.GoneException:
            dynamodb.delete_item(TableName=TABLE, Key=connection)
            return "gone"
        except (BotoCoreError, ClientError):
            return "failed"

    outcomes = Counter(delivered=0, gone=0, failed=0)
    pages = dynamodb.get_paginator("scan").paginate(
        TableName=TABLE, ProjectionExpression="connectionId"
    )
    with ThreadPoolExecutor(THREADS) as threads:
        for page in pages:
            outcomes.update(threads.map(push, page["Items"]))
    return {"statusCode": 200, "body": json.dumps(outcomes)}
