// The handler of the better samples: one page of a Scan and all pushes at once;
// who is gone is deleted, and any other error ends it.

import {
  ApiGatewayManagementApiClient, PostToConnectionCommand,
} from '@aws-sdk/client-apigatewaymanagementapi';
import { DeleteItemCommand, DynamoDBClient, ScanCommand } from '@aws-sdk/client-dynamodb';

const TableName = process.env.CONNECTIONS_TABLE;

const dynamodb = new DynamoDBClient({});
const gateway = new ApiGatewayManagementApiClient({ endpoint: process.env.MANAGEMENT_ENDPOINT });

export async function handler(event) {
  const connections = await dynamodb.send(new ScanCommand({
    TableName,
    ProjectionExpression: 'connectionId',
  }));
  try {
    await Promise.all(connections.Items.map(({ connectionId }) => push(connectionId, event.body)));
  } catch (error) {
    return { statusCode: 500, body: `${error.name}: ${error.message}` };
  }
  return { statusCode: 200, body: 'Data sent.' };
}

async function push(connectionId, Data) {
  try {
    await gateway.send(new PostToConnectionCommand({ ConnectionId: connectionId.S, Data }));
  } catch (error) {
    if (error.$metadata?.httpStatusCode !== 410) {
      throw error;
    }
    await dynamodb.send(new DeleteItemCommand({ TableName, Key: { connectionId } }));
  }
}
