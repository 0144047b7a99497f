// One storage account: history, the app's package, and the queues between functions.
//
// Account keys are switched off, so nothing but a Microsoft Entra identity reads or writes here. The container
// `history` holds the segments, which are the truth of the whole system: zone-redundant by default, with soft delete.
// Versioning is off on purpose: every document is created once and never changed, so versions would only cost.
// The poison queues are made here rather than by the host, so that they can be watched from the first day.

@minLength(3)
@maxLength(24)
@description('Name of the account: lower case letters and digits.')
param name string

@description('Region.')
param location string

@description('Tags of every resource.')
param tags object

@description('Log Analytics workspace that the queues report writes to.')
param workspaceId string

@allowed([
  'Standard_LRS'
  'Standard_ZRS'
  'Standard_GRS'
  'Standard_GZRS'
])
@description('Redundancy. Take Standard_LRS only where a region has no zones.')
param sku string = 'Standard_ZRS'

@minValue(1)
@maxValue(365)
@description('Days that deleted history can be restored.')
param softDeleteDays int = 7

var historyContainer = 'history'
var deploymentContainer = 'deployments'

resource account 'Microsoft.Storage/storageAccounts@2023-05-01' = {
  name: name
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: {
    name: sku
  }
  properties: {
    accessTier: 'Hot'
    allowSharedKeyAccess: false
    defaultToOAuthAuthentication: true
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    publicNetworkAccess: 'Enabled'
    networkAcls: {
      // Without a virtual network the app comes from addresses that nobody can list. Identity is the gate.
      defaultAction: 'Allow'
      bypass: 'AzureServices'
    }
  }
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2023-05-01' = {
  parent: account
  name: 'default'
  properties: {
    deleteRetentionPolicy: {
      enabled: true
      days: softDeleteDays
    }
    containerDeleteRetentionPolicy: {
      enabled: true
      days: softDeleteDays
    }
  }
}

resource containers 'Microsoft.Storage/storageAccounts/blobServices/containers@2023-05-01' = [for container in [
  historyContainer
  deploymentContainer
]: {
  parent: blobs
  name: container
  properties: {
    publicAccess: 'None'
  }
}]

resource queueService 'Microsoft.Storage/storageAccounts/queueServices@2023-05-01' = {
  parent: account
  name: 'default'
}

// Each queue of functions/*/function.json, and the one its messages go to after five failures (host.json).
resource queues 'Microsoft.Storage/storageAccounts/queueServices/queues@2023-05-01' = [for queue in [
  'alerts'
  'alerts-poison'
  'commands'
  'commands-poison'
]: {
  parent: queueService
  name: queue
}]

resource queueLogs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'writes'
  scope: queueService
  properties: {
    workspaceId: workspaceId
    logs: [
      {
        // The poison rule of monitoring.bicep reads these; reads and deletes would only be noise.
        category: 'StorageWrite'
        enabled: true
      }
    ]
  }
}

@description('Name of the account.')
output name string = account.name

@description('Container of segments, history, baselines, scorers and alerts.')
output historyContainer string = historyContainer

@description('Container of the app package.')
output deploymentContainer string = deploymentContainer
