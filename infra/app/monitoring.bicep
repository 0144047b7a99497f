// Logs, traces, and the two things someone should be woken for.
//
// Application Insights stores into the Log Analytics workspace. Its connection string reads nothing: it lets one send.
// With entraOnly not even that, and every sender needs a Microsoft Entra token and the role Monitoring Metrics Publisher.
//
// The rules watch what the design says must not happen quietly: an ingest batch that keeps failing (its partition is
// held until it succeeds, so a device's twin stands still), and a message that failed so often that the host moved it
// to a poison queue (an alert that nobody got, or a command that never reached its machine).

@description('Suffix that makes names unique.')
param token string

@description('Region.')
param location string

@description('Tags of every resource.')
param tags object

@description('Who is told. Empty: nobody, the rules still fire.')
param operatorEmail string = ''

@description('Refuse telemetry without a Microsoft Entra token.')
param entraOnly bool

@minValue(30)
@maxValue(730)
@description('Days that logs are kept.')
param retentionDays int = 30

@minValue(-1)
@description('Most gigabytes of logs taken in a day; -1 is no bound. A guard against a bill, not a budget.')
param dailyQuotaGb int = 5

var actions = empty(operatorEmail) ? [] : [
  operators.id
]

resource workspace 'Microsoft.OperationalInsights/workspaces@2023-09-01' = {
  name: 'log-${token}'
  location: location
  tags: tags
  properties: {
    sku: {
      name: 'PerGB2018'
    }
    retentionInDays: retentionDays
    workspaceCapping: {
      dailyQuotaGb: dailyQuotaGb
    }
    features: {
      // The workspace has keys of its own; nothing here uses them.
      disableLocalAuth: true
    }
  }
}

resource applicationInsights 'Microsoft.Insights/components@2020-02-02' = {
  name: 'appi-${token}'
  location: location
  tags: tags
  kind: 'web'
  properties: {
    Application_Type: 'web'
    WorkspaceResourceId: workspace.id
    IngestionMode: 'LogAnalytics'
    DisableLocalAuth: entraOnly
  }
}

resource operators 'Microsoft.Insights/actionGroups@2023-01-01' = if (!empty(operatorEmail)) {
  name: 'ag-${token}'
  location: 'global'
  tags: tags
  properties: {
    groupShortName: 'twinwright'
    enabled: true
    emailReceivers: [
      {
        name: 'operator'
        emailAddress: operatorEmail
        useCommonAlertSchema: true
      }
    ]
  }
}

resource ingestFails 'Microsoft.Insights/scheduledQueryRules@2022-06-15' = {
  name: 'ingest-fails-${token}'
  location: location
  tags: tags
  properties: {
    displayName: 'Twinwright: ingest fails'
    description: 'Batches fail again and again. Their partitions are held; look at the failures of the function ingest in Application Insights.'
    severity: 1
    enabled: true
    autoMitigate: true
    scopes: [
      workspace.id
    ]
    // The table is there only after the first telemetry.
    skipQueryValidation: true
    evaluationFrequency: 'PT5M'
    windowSize: 'PT10M'
    criteria: {
      allOf: [
        {
          query: 'AppRequests | where OperationName == "ingest" and Success == false'
          timeAggregation: 'Count'
          operator: 'GreaterThan'
          threshold: 3
          failingPeriods: {
            numberOfEvaluationPeriods: 1
            minFailingPeriodsToAlert: 1
          }
        }
      ]
    }
    actions: {
      actionGroups: actions
    }
  }
}

resource queuePoisoned 'Microsoft.Insights/scheduledQueryRules@2022-06-15' = {
  name: 'queue-poisoned-${token}'
  location: location
  tags: tags
  properties: {
    displayName: 'Twinwright: a message was poisoned'
    description: 'An alert or a command failed five times and lies in alerts-poison or commands-poison. Read it, mend the cause, put it back.'
    severity: 1
    enabled: true
    // Stays until someone closes it: no later measurement says that the message was dealt with.
    autoMitigate: false
    scopes: [
      workspace.id
    ]
    skipQueryValidation: true
    evaluationFrequency: 'PT5M'
    windowSize: 'PT5M'
    criteria: {
      allOf: [
        {
          query: 'StorageQueueLogs | where OperationName == "PutMessage" and Uri has "-poison"'
          timeAggregation: 'Count'
          operator: 'GreaterThan'
          threshold: 0
          failingPeriods: {
            numberOfEvaluationPeriods: 1
            minFailingPeriodsToAlert: 1
          }
        }
      ]
    }
    actions: {
      actionGroups: actions
    }
  }
}

@description('Resource id of the workspace, for diagnostic settings.')
output workspaceId string = workspace.id

@description('Name of the Application Insights resource.')
output applicationInsightsName string = applicationInsights.name

@description('Where telemetry goes. It lets one send, not read.')
output applicationInsightsConnection string = applicationInsights.properties.ConnectionString
