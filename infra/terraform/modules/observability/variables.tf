variable "alert_emails" {
  description = "Addresses that are told of every alert."
  type        = list(string)
  default     = []
}

variable "autoscaler_mode" {
  description = "Who sets the number of workers: function, temporal, crema, cpu or fixed. Alerts on the autoscaler exist only where there is one."
  type        = string
  default     = "function"

  validation {
    condition     = contains(["function", "temporal", "crema", "cpu", "fixed"], var.autoscaler_mode)
    error_message = "autoscaler_mode must be function, temporal, crema, cpu or fixed."
  }
}

variable "delivery_slos" {
  description = "Whether SLOs on the program's own metrics exist. Google refuses an SLO on a metric that was never written (400, \"The metric referenced by the provided filter is unknown\"): set true after the first notification."
  type        = bool
  default     = false
}

variable "health_service" {
  description = "The health function: name of its Cloud Run service, and its URI (https://...). An uptime check calls it as the monitoring service agent, which needs roles/run.invoker there."
  type = object({
    name = string
    uri  = string
  })
}

variable "labels" {
  description = "Labels of everything that takes some."
  type        = map(string)
  default     = {}
}

variable "listener_count" {
  description = "How many listeners there are to be. With several, one that does not report is told of."
  type        = number
  default     = 1
}

variable "listener_pool_name" {
  description = "Name of the listener's worker pool."
  type        = string
}

variable "metrics_job" {
  description = "Regular expression for the label `job` (OTEL_SERVICE_NAME, perhaps after service.namespace and a slash) of this environment's metrics. Needed where several environments share a project; unset: whatever the project has."
  type        = string
  default     = null

  validation {
    condition     = var.metrics_job == null || can(regex("^[^\"\\\\$]+$", var.metrics_job))
    error_message = "metrics_job must not hold quotes, backslashes or dollar signs: it is put into queries as it is. Write [.] for a dot."
  }
}

variable "notification_channels" {
  description = "Names of further notification channels, such as projects/P/notificationChannels/N, that are told of every alert."
  type        = list(string)
  default     = []
}

variable "pagerduty_service_key" {
  description = "Integration key of a PagerDuty service that is told of critical alerts. Not kept in the state."
  type        = string
  default     = null
  ephemeral   = true
}

variable "pagerduty_service_key_version" {
  description = "Count this up whenever pagerduty_service_key changes; 0: no PagerDuty."
  type        = number
  default     = 0
}

variable "prefix" {
  description = "What names begin with, such as xnovu-prod."
  type        = string
}

variable "project_id" {
  description = "The project that is watched."
  type        = string
}

variable "region" {
  description = "Where the worker pools run."
  type        = string
}

variable "runbook_url" {
  description = "Where docs/runbook.md can be read, without the part after #."
  type        = string

  validation {
    condition     = startswith(var.runbook_url, "https://")
    error_message = "runbook_url must begin with https://: every alert links to its section there."
  }
}

variable "trigger_service_name" {
  description = "Name of the trigger function's Cloud Run service."
  type        = string
}

variable "worker_max_instances" {
  description = "The most workers there may be."
  type        = number
}

variable "worker_min_instances" {
  description = "The fewest workers there are. Without any, it is no fault if no worker reports."
  type        = number
}

variable "worker_pool_name" {
  description = "Name of the worker pool, or what the names of its pools (one each build) begin with."
  type        = string
}
