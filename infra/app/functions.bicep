// The function app, on Flex Consumption, with Twinwright's binary as a custom handler.
//
// The runtime is named in functionAppConfig (on this plan FUNCTIONS_WORKER_RUNTIME is not allowed). Flex Consumption
// scales every function by itself: ingest up to one instance a partition, the timers and queues on instances of their
// own. They share nothing but storage, which the design allows for.
//
// App settings: what the host needs (AzureWebJobsStorage, the trigger's connection), and TWINWRIGHT_SECTION__KEY, which
// overrides crates/app/src/config/defaults.toml. No value is a key: two are references into Key Vault.

@description('Name of the function app; also the first part of its host name.')
param name string

@description('Name of the plan. Flex Consumption takes one app a plan.')
param planName string

@description('Region.')
param location string

@description('Tags of every resource.')
param tags object

@description('Resource id of the identity that does all work.')
param identityId string

@description('Client id of the same identity.')
param identityClientId string

@description('Storage account of the host, the package, the queues and history.')
param storageAccountName string

@description('Container of history.')
param historyContainer string

@description('Container of the app package.')
param deploymentContainer string

@description('Name of the IoT Hub; it becomes the hub part of the paths of history.')
param iotHubName string

@description('Host name of the IoT Hub, for direct methods.')
param iotHubHost string

@description('Name of the Event Hub behind the built-in endpoint.')
param eventsName string

@description('Consumer group of ingest.')
param consumerGroup string

@description('Address of the Digital Twins instance.')
param digitalTwinsUrl string

@description('Key Vault address of the connection string of the built-in endpoint.')
param eventsSecretUri string

@description('Key Vault address of the alert webhook. Empty: alerts are not posted.')
param alertWebhookSecretUri string = ''

@description('Connection string of Application Insights.')
param applicationInsightsConnection string

@description('Memory of one instance, in MB.')
param instanceMemoryMB int

@description('Instances at the most.')
param maximumInstanceCount int

@description('Instances of ingest that stay warm.')
param ingestAlwaysReady int = 0

var hostSettings = {
  AzureWebJobsStorage__accountName: storageAccountName
  AzureWebJobsStorage__credential: 'managedidentity'
  AzureWebJobsStorage__clientId: identityClientId
  // The dashboard is at the root.
  AzureWebJobsDisableHomepage: 'true'
  // The endpoint takes no identity: key-vault.bicep says why.
  IOT_HUB_EVENTS: '@Microsoft.KeyVault(SecretUri=${eventsSecretUri})'
  IOT_HUB_EVENTS_NAME: eventsName
  IOT_HUB_CONSUMER_GROUP: consumerGroup
  APPLICATIONINSIGHTS_CONNECTION_STRING: applicationInsightsConnection
  APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identityClientId};Authorization=AAD'
  // Which identity the handler's own calls use.
  AZURE_CLIENT_ID: identityClientId
}

var appSettings = {
  TWINWRIGHT_HUB: iotHubName
  TWINWRIGHT_STORAGE__URL: 'azure://${storageAccountName}/${historyContainer}'
  TWINWRIGHT_TWINS__URL: digitalTwinsUrl
  TWINWRIGHT_IOT_HUB__HOST: iotHubHost
}

var notifySettings = empty(alertWebhookSecretUri) ? {} : {
  TWINWRIGHT_NOTIFY__WEBHOOK_URL: '@Microsoft.KeyVault(SecretUri=${alertWebhookSecretUri})'
}

resource storage 'Microsoft.Storage/storageAccounts@2023-05-01' existing = {
  name: storageAccountName
}

resource plan 'Microsoft.Web/serverfarms@2024-04-01' = {
  name: planName
  location: location
  tags: tags
  kind: 'functionapp'
  sku: {
    name: 'FC1'
    tier: 'FlexConsumption'
  }
  properties: {
    // Linux.
    reserved: true
  }
}

resource app 'Microsoft.Web/sites@2024-04-01' = {
  name: name
  location: location
  tags: tags
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${identityId}': {}
    }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    keyVaultReferenceIdentity: identityId
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: '${storage.properties.primaryEndpoints.blob}${deploymentContainer}'
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identityId
          }
        }
      }
      runtime: {
        name: 'custom'
        version: '1.0'
      }
      scaleAndConcurrency: {
        instanceMemoryMB: instanceMemoryMB
        maximumInstanceCount: maximumInstanceCount
        alwaysReady: ingestAlwaysReady == 0 ? [] : [
          {
            name: 'function:ingest'
            instanceCount: ingestAlwaysReady
          }
        ]
      }
    }
    siteConfig: {
      minTlsVersion: '1.2'
      http20Enabled: true
    }
  }
}

resource settings 'Microsoft.Web/sites/config@2024-04-01' = {
  parent: app
  name: 'appsettings'
  properties: union(hostSettings, appSettings, notifySettings)
}

// Publishing goes by Microsoft Entra token; a user name and password for it should not exist.
resource noPublishingPassword 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-04-01' = {
  parent: app
  name: 'scm'
  properties: {
    allow: false
  }
}

@description('Name of the function app.')
output name string = app.name

@description('Address of the dashboard and the API.')
output url string = 'https://${app.properties.defaultHostName}'
