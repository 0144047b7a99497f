// The one identity of the app.
//
// User-assigned rather than system-assigned: it exists before the function app does, so every grant of rbac.bicep is
// in place when the app first starts, and a deleted and re-created app keeps its grants.

@description('Name of the identity.')
param name string

@description('Region.')
param location string

@description('Tags of every resource.')
param tags object

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: name
  location: location
  tags: tags
}

@description('Resource id, for the function app.')
output id string = identity.id

@description('Client id: what AZURE_CLIENT_ID and the connections of the host name.')
output clientId string = identity.properties.clientId

@description('Object id, for role assignments.')
output principalId string = identity.properties.principalId
