// The only place of a key, and the only file that may read one (tests/infra/check.py sees to it).
//
// Ingest reads the IoT Hub's built-in Event Hub-compatible endpoint. That endpoint accepts shared access signatures
// only: neither a managed identity nor an Azure Event Hubs role works there, unlike on a namespace of one's own. So the
// key of the policy `service`, which may connect to service endpoints and can change no device, is read here at
// deployment, written to the vault, and reaches the function app by reference. No output carries it. To rotate, renew
// the policy's key and deploy again.
//
// Routing the hub into an Event Hubs namespace would do without the key, at the price of a namespace, of a second hop
// whose retries may repeat and reorder messages, and of a hub identity. We chose the smaller system.

@minLength(3)
@maxLength(24)
@description('Name of the vault.')
param name string

@description('Region.')
param location string

@description('Tags of every resource.')
param tags object

@description('Hub whose built-in endpoint ingest reads.')
param iotHubName string

@secure()
@description('Where alerts are posted. Empty: no secret is made.')
param alertWebhookUrl string = ''

resource hub 'Microsoft.Devices/IotHubs@2023-06-30' existing = {
  name: iotHubName
}

resource vault 'Microsoft.KeyVault/vaults@2023-07-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    tenantId: tenant().tenantId
    sku: {
      family: 'A'
      name: 'standard'
    }
    // Grants are role assignments, in rbac.bicep like all others.
    enableRbacAuthorization: true
    enableSoftDelete: true
    softDeleteRetentionInDays: 7
    publicNetworkAccess: 'Enabled'
    networkAcls: {
      defaultAction: 'Allow'
      bypass: 'AzureServices'
    }
  }
}

resource eventsSecret 'Microsoft.KeyVault/vaults/secrets@2023-07-01' = {
  parent: vault
  name: 'iot-hub-events'
  tags: tags
  properties: {
    contentType: 'Event Hub-compatible connection string of the policy service'
    value: 'Endpoint=${hub.properties.eventHubEndpoints.events.endpoint};SharedAccessKeyName=service;SharedAccessKey=${listKeys(resourceId('Microsoft.Devices/IotHubs/IotHubKeys', iotHubName, 'service'), '2023-06-30').primaryKey};EntityPath=${hub.properties.eventHubEndpoints.events.path}'
    attributes: {
      enabled: true
    }
  }
}

resource alertWebhookSecret 'Microsoft.KeyVault/vaults/secrets@2023-07-01' = if (!empty(alertWebhookUrl)) {
  parent: vault
  name: 'alert-webhook-url'
  tags: tags
  properties: {
    contentType: 'URL'
    value: alertWebhookUrl
    attributes: {
      enabled: true
    }
  }
}

@description('Name of the vault.')
output name string = vault.name

// Addresses without a version: the app picks up a renewed secret within a day, or at the next deployment.
@description('Address of the connection string, not the string.')
output eventsSecretUri string = '${vault.properties.vaultUri}secrets/iot-hub-events'

@description('Address of the webhook secret, which is there only when a webhook was given.')
output alertWebhookSecretUri string = '${vault.properties.vaultUri}secrets/alert-webhook-url'
