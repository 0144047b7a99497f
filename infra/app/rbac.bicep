// Every role assignment there is: who may do what, on which resource. tests/infra/check.py refuses one elsewhere.
//
// Each grant is on one resource, never on the group, and is the narrowest built-in role that works; where a narrower
// one would do in theory, a comment says what stands against it.

@description('Object id of the app\'s identity.')
param appPrincipalId string

@description('Object id of who deploys and operates. Empty: no grants.')
param operatorPrincipalId string = ''

@allowed([
  'User'
  'Group'
  'ServicePrincipal'
])
@description('What operatorPrincipalId is.')
param operatorPrincipalType string = 'User'

@description('Storage account.')
param storageAccountName string

@description('Container of history.')
param historyContainerName string

@description('IoT Hub.')
param iotHubName string

@description('Digital Twins instance.')
param digitalTwinsName string

@description('Key vault.')
param keyVaultName string

@description('Application Insights resource.')
param applicationInsightsName string

// Ids of built-in roles, the same in every tenant (Azure built-in roles).
var storageBlobDataOwner = 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b'
var storageBlobDataContributor = 'ba92f5b4-2d11-453d-a403-e96b0029c9fe'
var storageQueueDataContributor = '974c5e8b-45b9-4653-ba55-5f855dd0fb88'
var storageTableDataContributor = '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3'
var iotHubDataContributor = '4fc6c259-987e-4a07-842e-c321cc9d413f'
var digitalTwinsDataOwner = 'bcd981a7-7f74-457b-83e1-cceb9e632ffe'
var keyVaultSecretsUser = '4633458b-17de-408a-b874-0445c86b69e6'
var monitoringMetricsPublisher = '3913510d-42f4-4e42-8a64-420c390055eb'

var hasOperator = !empty(operatorPrincipalId)

resource storage 'Microsoft.Storage/storageAccounts@2023-05-01' existing = {
  name: storageAccountName
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2023-05-01' existing = {
  parent: storage
  name: 'default'
}

resource history 'Microsoft.Storage/storageAccounts/blobServices/containers@2023-05-01' existing = {
  parent: blobs
  name: historyContainerName
}

resource hub 'Microsoft.Devices/IotHubs@2023-06-30' existing = {
  name: iotHubName
}

resource twins 'Microsoft.DigitalTwins/digitalTwinsInstances@2023-01-31' existing = {
  name: digitalTwinsName
}

resource vault 'Microsoft.KeyVault/vaults@2023-07-01' existing = {
  name: keyVaultName
}

resource applicationInsights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: applicationInsightsName
}

// The app: leases, checkpoints and function keys of the host (which asks for Owner), the package, and history.
resource appBlobs 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(storage.id, appPrincipalId, storageBlobDataOwner)
  scope: storage
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', storageBlobDataOwner)
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
  }
}

// The app: queues alerts and commands, in and out. The triggers make sure that poison queues exist, so the narrower
// sender and processor roles do not do.
resource appQueues 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(storage.id, appPrincipalId, storageQueueDataContributor)
  scope: storage
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', storageQueueDataContributor)
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
  }
}

// The app: the host keeps its diagnostic events in a table; without this it warns at every start.
resource appTables 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(storage.id, appPrincipalId, storageTableDataContributor)
  scope: storage
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', storageTableDataContributor)
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
  }
}

// The app: direct methods (emergencyStop). No built-in role has them alone.
resource appHub 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(hub.id, appPrincipalId, iotHubDataContributor)
  scope: hub
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', iotHubDataContributor)
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
  }
}

// The app: patches twins. The only other built-in role reads.
resource appTwins 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(twins.id, appPrincipalId, digitalTwinsDataOwner)
  scope: twins
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', digitalTwinsDataOwner)
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
  }
}

// The app: its two Key Vault references, to read.
resource appSecrets 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(vault.id, appPrincipalId, keyVaultSecretsUser)
  scope: vault
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', keyVaultSecretsUser)
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
  }
}

// The app: sends telemetry.
resource appTelemetry 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(applicationInsights.id, appPrincipalId, monitoringMetricsPublisher)
  scope: applicationInsights
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', monitoringMetricsPublisher)
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
  }
}

// The operator: uploads models, creates twins.
resource operatorTwins 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (hasOperator) {
  name: guid(twins.id, operatorPrincipalId, digitalTwinsDataOwner)
  scope: twins
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', digitalTwinsDataOwner)
    principalId: operatorPrincipalId
    principalType: operatorPrincipalType
  }
}

// The operator: registers devices without the hub's owner key (`az iot hub … --auth-type login`).
resource operatorHub 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (hasOperator) {
  name: guid(hub.id, operatorPrincipalId, iotHubDataContributor)
  scope: hub
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', iotHubDataContributor)
    principalId: operatorPrincipalId
    principalType: operatorPrincipalType
  }
}

// The operator: publishes scorers and reads history, in that one container.
resource operatorHistory 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (hasOperator) {
  name: guid(history.id, operatorPrincipalId, storageBlobDataContributor)
  scope: history
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', storageBlobDataContributor)
    principalId: operatorPrincipalId
    principalType: operatorPrincipalType
  }
}
