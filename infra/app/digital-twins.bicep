// The Digital Twins instance. It knows no keys at all: the data plane takes Microsoft Entra tokens only.
//
// Models and twins are data, not infrastructure: infra/README.md shows how they get in, from infra/models.

@minLength(3)
@maxLength(63)
@description('Name of the instance; also the first part of its host name.')
param name string

@description('Region. Not every region offers Digital Twins.')
param location string

@description('Tags of every resource.')
param tags object

resource instance 'Microsoft.DigitalTwins/digitalTwinsInstances@2023-01-31' = {
  name: name
  location: location
  tags: tags
  properties: {
    publicNetworkAccess: 'Enabled'
  }
}

@description('Name of the instance.')
output name string = instance.name

@description('Address of the data plane.')
output url string = 'https://${instance.properties.hostName}'
