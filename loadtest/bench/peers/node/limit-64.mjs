// A handler by somebody who has met the problems: every page of the Scan, 64
// pushes at once, who is gone is deleted, and what fails is counted and stops
// nobody else.
//
// The SDK's own agent opens at most 50 sockets, which is left as it is.

import {
  ApiGatewayManagementApiClient, PostToConnectionCommand,
} from '@aws-sdk/client-apigatewaymanagementapi';
import { DeleteItemCommand, DynamoDBClient, paginateScan } from '@aws-sdk/client-dynamodb';
import pLimit from 'p-limit';

const TableName = process.env.CONNECTIONS_TABLE;

const dynamodb = new DynamoDBClient({});
const gateway = new ApiGatewayManagementApiClient({ endpoint: process.env.MANAGEMENT_ENDPOINT });

export async function handler(event) {
  const limit = pLimit(64);
  const outcomes = { delivered: 0, gone: 0, failed: 0 };
  const query = { TableName, ProjectionExpression: 'connectionId' };
  for await (const page of paginateScan({ client: dynamodb }, query)) {
    await Promise.all(page.Items.map(({ connectionId }) => limit(async () => {
      outcomes[await push(connectionId, event.body)] += 1;
    })));
  }
  return { statusCode: 200, body: JSON.stringify(outcomes) };
}

async function push(connectionId, Data) {
  try {
    await gateway.send(new PostToConnectionCommand({ ConnectionId: connectionId.S, Data }));
    return 'delivered';
  } catch (error) {
    if (error.$metadata?.httpStatusCode !== 410) {
      return 'failed';
    }
    await dynamodb.send(new DeleteItemCommand({ TableName, Key: { connectionId } }));
    return 'gone';
  }
}
