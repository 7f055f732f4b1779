// The handler of most tutorials: one page of a Scan, one push after the other,
// and the first error ends it.

import {
  ApiGatewayManagementApiClient, PostToConnectionCommand,
} from '@aws-sdk/client-apigatewaymanagementapi';
import { DynamoDBClient, ScanCommand } from '@aws-sdk/client-dynamodb';

const dynamodb = new DynamoDBClient({});
const gateway = new ApiGatewayManagementApiClient({ endpoint: process.env.MANAGEMENT_ENDPOINT });

export async function handler(event) {
  const connections = await dynamodb.send(new ScanCommand({
    TableName: process.env.CONNECTIONS_TABLE,
    ProjectionExpression: 'connectionId',
  }));
  for (const { connectionId } of connections.Items) {
    await gateway.send(new PostToConnectionCommand({
      ConnectionId: connectionId.S,
      Data: event.body,
    }));
  }
  return { statusCode: 200, body: 'Data sent.' };
}
