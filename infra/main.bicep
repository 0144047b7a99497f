// Everything Twinwright needs in Azure, in one resource group.
//
// Deployed by `azd up` (which fills the parameters from main.parameters.json and keeps the outputs as environment
// variables for the hooks of azure.yaml) or by `az deployment sub create`; infra/README.md shows both.
//
// The rule of this folder: identities, not keys. One user-assigned identity does all work, every grant it has is
// in app/rbac.bicep, and the one key that cannot be avoided goes from the hub into Key Vault without passing an
// output, a parameter or an app setting (app/key-vault.bicep says why).

targetScope = 'subscription'

@minLength(1)
@maxLength(48)
@description('Name of the environment. It names the resource group and seeds the names of all resources.')
param environmentName string

@minLength(1)
@metadata({
  azd: {
    type: 'location'
  }
})
@description('Region of all resources. It must offer Flex Consumption and zone-redundant storage.')
param location string

@description('Region of the Digital Twins instance, for regions that do not offer it. Empty: the same as location.')
param digitalTwinsLocation string = ''

@description('Object id of who deploys. Gets access to twins, devices and history. Empty: nobody besides the app does.')
param principalId string = ''

@allowed([
  'User'
  'Group'
  'ServicePrincipal'
])
@description('What principalId is: a person, a group, or the service principal of a pipeline.')
param principalType string = 'User'

@allowed([
  'S1'
  'S2'
  'S3'
])
@description('Tier of the IoT Hub. The basic tiers lack direct methods, so they cannot stop a machine.')
param iotHubSku string = 'S1'

@minValue(1)
@maxValue(200)
@description('Units of the IoT Hub. One S1 unit takes 400 000 messages of up to 4 KB a day.')
param iotHubUnits int = 1

@minValue(2)
@maxValue(32)
@description('Partitions of the hub, fixed when it is created. They bound how many instances ingest at a time.')
param partitionCount int = 4

@allowed([
  512
  2048
  4096
])
@description('Memory of one instance of the function app, in MB.')
param instanceMemoryMB int = 2048

@minValue(40)
@maxValue(1000)
@description('Instances that the function app may grow to. Flex Consumption takes no smaller bound than 40.')
param maximumInstanceCount int = 40

@minValue(0)
@maxValue(20)
@description('Instances of ingest that stay warm. 0 is cheapest; 1 spares the first message after a pause the cold start.')
param ingestAlwaysReady int = 0

@secure()
@description('Where alerts are posted. It often carries a token, so it is kept in Key Vault. Empty: alerts are only stored.')
param alertWebhookUrl string = ''

@description('Who is told when ingest fails or a queue poisons. Empty: the rules fire, visible in the portal only.')
param operatorEmail string = ''

@description('Refuse telemetry without a Microsoft Entra token. The host sends one; the handler\'s own exporter does not yet, so this would drop its traces and metrics.')
param telemetryEntraOnly bool = false

var token = toLower(uniqueString(subscription().id, environmentName, location))
var tags = {
  'azd-env-name': environmentName
}

resource group 'Microsoft.Resources/resourceGroups@2024-03-01' = {
  name: 'rg-${environmentName}'
  location: location
  tags: tags
}

module identity 'app/identity.bicep' = {
  name: 'identity'
  scope: group
  params: {
    name: 'id-${token}'
    location: location
    tags: tags
  }
}

module monitoring 'app/monitoring.bicep' = {
  name: 'monitoring'
  scope: group
  params: {
    token: token
    location: location
    tags: tags
    operatorEmail: operatorEmail
    entraOnly: telemetryEntraOnly
  }
}

module storage 'app/storage.bicep' = {
  name: 'storage'
  scope: group
  params: {
    name: 'st${token}'
    location: location
    tags: tags
    workspaceId: monitoring.outputs.workspaceId
  }
}

module iotHub 'app/iot-hub.bicep' = {
  name: 'iot-hub'
  scope: group
  params: {
    name: 'iot-${token}'
    location: location
    tags: tags
    sku: iotHubSku
    units: iotHubUnits
    partitionCount: partitionCount
    workspaceId: monitoring.outputs.workspaceId
  }
}

module digitalTwins 'app/digital-twins.bicep' = {
  name: 'digital-twins'
  scope: group
  params: {
    name: 'dt-${token}'
    location: empty(digitalTwinsLocation) ? location : digitalTwinsLocation
    tags: tags
  }
}

module keyVault 'app/key-vault.bicep' = {
  name: 'key-vault'
  scope: group
  params: {
    name: 'kv-${token}'
    location: location
    tags: tags
    iotHubName: iotHub.outputs.name
    alertWebhookUrl: alertWebhookUrl
  }
}

module rbac 'app/rbac.bicep' = {
  name: 'rbac'
  scope: group
  params: {
    appPrincipalId: identity.outputs.principalId
    operatorPrincipalId: principalId
    operatorPrincipalType: principalType
    storageAccountName: storage.outputs.name
    historyContainerName: storage.outputs.historyContainer
    iotHubName: iotHub.outputs.name
    digitalTwinsName: digitalTwins.outputs.name
    keyVaultName: keyVault.outputs.name
    applicationInsightsName: monitoring.outputs.applicationInsightsName
  }
}

// After the grants: the host reads its package, its storage and its Key Vault references as soon as the app exists.
module functions 'app/functions.bicep' = {
  name: 'functions'
  scope: group
  params: {
    name: 'func-${token}'
    planName: 'plan-${token}'
    location: location
    tags: tags
    identityId: identity.outputs.id
    identityClientId: identity.outputs.clientId
    storageAccountName: storage.outputs.name
    historyContainer: storage.outputs.historyContainer
    deploymentContainer: storage.outputs.deploymentContainer
    iotHubName: iotHub.outputs.name
    iotHubHost: iotHub.outputs.host
    eventsName: iotHub.outputs.eventsName
    consumerGroup: iotHub.outputs.consumerGroup
    digitalTwinsUrl: digitalTwins.outputs.url
    eventsSecretUri: keyVault.outputs.eventsSecretUri
    alertWebhookSecretUri: empty(alertWebhookUrl) ? '' : keyVault.outputs.alertWebhookSecretUri
    applicationInsightsConnection: monitoring.outputs.applicationInsightsConnection
    instanceMemoryMB: instanceMemoryMB
    maximumInstanceCount: maximumInstanceCount
    ingestAlwaysReady: ingestAlwaysReady
  }
  dependsOn: [
    rbac
  ]
}

// azd keeps these as environment variables; the hooks of azure.yaml and the commands of infra/README.md use them.
output AZURE_RESOURCE_GROUP string = group.name
output AZURE_LOCATION string = location
output AZURE_TENANT_ID string = tenant().tenantId
output AZURE_FUNCTION_APP_NAME string = functions.outputs.name
output AZURE_FUNCTION_APP_URL string = functions.outputs.url
output AZURE_IOT_HUB_NAME string = iotHub.outputs.name
output AZURE_IOT_HUB_HOST string = iotHub.outputs.host
output AZURE_DIGITAL_TWINS_NAME string = digitalTwins.outputs.name
output AZURE_DIGITAL_TWINS_URL string = digitalTwins.outputs.url
output AZURE_STORAGE_ACCOUNT_NAME string = storage.outputs.name
output AZURE_KEY_VAULT_NAME string = keyVault.outputs.name
output AZURE_APPLICATION_INSIGHTS_NAME string = monitoring.outputs.applicationInsightsName
