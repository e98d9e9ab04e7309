variable "alert_emails" {
  description = "Addresses that are told of every alert."
  type        = list(string)
  default     = []
}

variable "autoscale" {
  description = "How the function autoscale decides (docs/configuration.md, AUTOSCALE_*). tasks_per_second: what one worker does, measured by `make bench`."
  type = object({
    backlog_age_seconds = optional(number, 60)
    drain_seconds       = optional(number, 60)
    quiet_seconds       = optional(number, 300)
    step_up             = optional(number, 4)
    tasks_per_second    = optional(number, 20)
  })
  default = {}
}

variable "autoscaler" {
  description = "Who sets the number of workers, exactly one of: function (our own, called every minute), temporal (Temporal's Serverless Workers), fixed (Terraform)."
  type        = string
  default     = "function"
}

variable "decommissioning" {
  description = "Lifts deletion protection, to take a deployment down for good: apply with true, then destroy."
  type        = bool
  default     = false
}

variable "delivery_slos" {
  description = "Whether SLOs on the program's own metrics exist: true once the first notification was sent. Google refuses one on a metric that was never written."
  type        = bool
  default     = false
}

variable "enterprise_ids" {
  description = "Whose rows this deployment serves."
  type        = list(string)
}

variable "function_invokers" {
  description = "Who may call status and trigger, by names of your choice: IAM members. They may act for every enterprise."
  type        = map(string)
  default     = {}
}

variable "image" {
  description = "The image of every part, by digest: ...@sha256:<64 hexadecimal digits>."
  type        = string
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

variable "project_id" {
  description = "The project it runs in."
  type        = string
}

variable "region" {
  description = "Where it runs: near the Supabase project and the Temporal namespace."
  type        = string
}

variable "runbook_url" {
  description = "Where docs/runbook.md can be read, without the part after #."
  type        = string
}

variable "secret_versions" {
  description = "Which version of each secret is read, by number; bootstrap/ makes the secrets. temporal_api_key, or temporal_tls_client_cert and temporal_tls_client_key, where Temporal wants them; novu_webhook_secrets for the webhook function, which is there only with it."
  type = object({
    novu_secret_key           = number
    novu_webhook_secrets      = optional(number)
    supabase_service_role_key = number
    temporal_api_key          = optional(number)
    temporal_tls_client_cert  = optional(number)
    temporal_tls_client_key   = optional(number)
  })
}

variable "static_egress_cidr" {
  description = "Range of a subnetwork, at least a /26, from which everything goes out by one static address; null: no network of our own."
  type        = string
  default     = null
}

variable "supabase_url" {
  description = "The Supabase project's address, https://..."
  type        = string
}

variable "temporal" {
  description = "Where Temporal is: address is host:port. tls is true for everything but a server inside your own network; with an API key it is anyway."
  type = object({
    address    = string
    namespace  = optional(string, "default")
    task_queue = optional(string, "xnovu-notification-processing")
    tls        = optional(bool, true)
  })
}

variable "temporal_principals" {
  description = "Temporal's service accounts that scale, as its console shows them (serviceAccount:...). Needed by autoscaler = temporal, refused by the others."
  type        = list(string)
  default     = []
}

variable "worker_builds" {
  description = "With worker_versioning: images of earlier builds, by digest, whose workflows have not all ended (`xnovu deploy`)."
  type        = list(string)
  default     = []
}

variable "worker_instances" {
  description = "How many workers with autoscaler = fixed; in prod at least 1."
  type        = number
  default     = 1
}

variable "worker_max_instances" {
  description = "The most workers there may be."
  type        = number
  default     = 2
}

variable "worker_min_instances" {
  description = "The fewest workers there are; in prod at least 1."
  type        = number
  default     = 0
}

variable "worker_versioning" {
  description = "Whether each build has a pool of its own and Temporal's Worker Versioning (docs/versioning.md). autoscaler = temporal needs it; function refuses it, because it scales one pool."
  type        = bool
  default     = false
}
