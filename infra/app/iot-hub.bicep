// The IoT Hub that devices connect to, and the consumer group that ingest reads with.
//
// Devices sign in with symmetric keys or certificates, because the device side of IoT Hub knows no Microsoft Entra
// sign-in. `disableLocalAuth` has to stay off as well: it refuses every key of the hub itself, and the built-in
// Event Hub-compatible endpoint, which ingest reads, accepts nothing else. The app's own calls to the hub (direct
// methods) do use its identity.
//
// No authorizationPolicies here: named in a template they replace what is there, and with it rotate keys that devices
// and tools may hold. The hub makes its default policies, of which only `service` (ServiceConnect) is ever used.

@minLength(3)
@maxLength(50)
@description('Name of the hub; also the first part of its host name.')
param name string

@description('Region.')
param location string

@description('Tags of every resource.')
param tags object

@description('Tier.')
param sku string

@description('Units of the tier.')
param units int

@description('Partitions, fixed when the hub is created.')
param partitionCount int

@minValue(1)
@maxValue(7)
@description('Days that messages wait for ingest. It is also how long ingest may be down without a loss.')
param retentionDays int = 3

@description('Log Analytics workspace for connection and direct-method errors.')
param workspaceId string

// Regions where the hub can be told to refuse TLS below 1.2 (IoT Hub: TLS support). Elsewhere the property is left out,
// and the service-wide retirement of TLS 1.0 and 1.1 does the same.
var enforcesTls12 = contains([
  'eastus'
  'southcentralus'
  'westus2'
  'usgovarizona'
  'usgovvirginia'
], location)

resource hub 'Microsoft.Devices/IotHubs@2023-06-30' = {
  name: name
  location: location
  tags: tags
  sku: {
    name: sku
    capacity: units
  }
  properties: {
    minTlsVersion: enforcesTls12 ? '1.2' : null
    publicNetworkAccess: 'Enabled'
    disableLocalAuth: false
    disableDeviceSAS: false
    disableModuleSAS: true
    enableFileUploadNotifications: false
    eventHubEndpoints: {
      events: {
        retentionTimeInDays: retentionDays
        partitionCount: partitionCount
      }
    }
    routing: {
      // No routes: everything a device sends goes to the built-in endpoint.
      fallbackRoute: {
        name: '$fallback'
        source: 'DeviceMessages'
        condition: 'true'
        endpointNames: [
          'events'
        ]
        isEnabled: true
      }
    }
  }
}

resource ingestGroup 'Microsoft.Devices/IotHubs/eventHubEndpoints/ConsumerGroups@2023-06-30' = {
  name: '${hub.name}/events/twinwright'
  properties: {
    name: 'twinwright'
  }
}

resource hubLogs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'devices'
  scope: hub
  properties: {
    workspaceId: workspaceId
    logs: [
      {
        category: 'Connections'
        enabled: true
      }
      {
        category: 'DirectMethods'
        enabled: true
      }
    ]
  }
}

@description('Name of the hub.')
output name string = hub.name

@description('Host name that devices and the app connect to.')
output host string = hub.properties.hostName

@description('Name of the Event Hub behind the built-in endpoint.')
output eventsName string = hub.properties.eventHubEndpoints.events.path

@description('Consumer group of ingest. Two readers on one group steal partitions from each other.')
output consumerGroup string = 'twinwright'

@description('Resource id of the consumer group.')
output consumerGroupId string = ingestGroup.id
