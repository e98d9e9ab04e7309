variable "alert_emails" {
  description = "Addresses that are told of every alert."
  type        = list(string)
  default     = []
}

variable "autoscale" {
  description = "How the function autoscale decides (docs/configuration.md, AUTOSCALE_*). looks_per_minute: how often it looks; each beyond the first keeps it for as long as lies between two. tasks_per_second: what one worker does, measured by `make bench`."
  type = object({
    backlog_age_seconds = optional(number, 60)
    drain_seconds       = optional(number, 60)
    looks_per_minute    = optional(number, 4)
    quiet_seconds       = optional(number, 300)
    step_up             = optional(number, 10)
    tasks_per_second    = optional(number, 20)
  })
  default = {}

  validation {
    condition     = alltrue([for value in values(var.autoscale) : value > 0])
    error_message = "autoscale: every figure must be above 0."
  }

  validation {
    condition     = contains([1, 2, 3, 4], var.autoscale.looks_per_minute)
    error_message = "autoscale.looks_per_minute must be 1, 2, 3 or 4."
  }

  validation {
    condition     = var.autoscale.quiet_seconds >= var.notification_claim_lease_seconds
    error_message = "autoscale.quiet_seconds must be at least notification_claim_lease_seconds: what a stopped worker held comes back within the lease, and must count before another worker is stopped."
  }
}

variable "autoscaler" {
  description = "Who sets the number of workers, exactly one of: function (our own, which looks every quarter of a minute), temporal (Temporal's Serverless Workers), fixed (Terraform)."
  type        = string

  validation {
    condition     = contains(["function", "temporal", "fixed"], var.autoscaler)
    error_message = "autoscaler must be function, temporal or fixed: exactly one scaler owns a pool."
  }
}

variable "decommissioning" {
  description = "Lifts deletion protection, to move a deployment to another region or to take it down for good: apply with true, then destroy."
  type        = bool
  default     = false
}

variable "deletion_protection" {
  description = "Whether Terraform refuses to destroy the deployment, or to move it to another region."
  type        = bool

  validation {
    condition     = var.environment != "prod" || var.deletion_protection
    error_message = "deletion_protection must be true in prod. To take it down for good set decommissioning = true."
  }
}

variable "delivery_slos" {
  description = "Whether SLOs on the program's own metrics exist: true once the first notification was sent. Google refuses one on a metric that was never written."
  type        = bool
  default     = false
}

variable "enterprise_ids" {
  description = "Whose rows this deployment serves; [\"*\"]: every enterprise that the database knows, also those that come later."
  type        = list(string)

  validation {
    condition = var.enterprise_ids == tolist(["*"]) || length(var.enterprise_ids) > 0 && alltrue([
      for id in var.enterprise_ids : can(regex("^[A-Za-z0-9_.-]{1,64}$", id))
    ])
    error_message = "enterprise_ids must name at least one, each 1-64 of letters, digits, '_', '-', '.', or be [\"*\"] and nothing else."
  }
}

variable "environment" {
  description = "dev, staging or prod."
  type        = string

  validation {
    condition     = contains(["dev", "staging", "prod"], var.environment)
    error_message = "environment must be dev, staging or prod."
  }
}

variable "function_ingress" {
  description = "From where status and trigger can be reached before IAM is asked: INGRESS_TRAFFIC_ALL, INGRESS_TRAFFIC_INTERNAL_ONLY or INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER. health and autoscale are internal always."
  type        = string
  default     = "INGRESS_TRAFFIC_ALL"
}

variable "function_invokers" {
  description = "Who may call status and trigger, by names of your choice: IAM members. They may act for every enterprise."
  type        = map(string)
  default     = {}
}

variable "function_settings" {
  description = "Further settings of the functions, by the names of docs/configuration.md."
  type        = map(string)
  default     = {}

  validation {
    condition     = !anytrue([for name in keys(var.function_settings) : can(regex("KEY$|_KEY_|SECRET|TOKEN|PASSWORD|KEYS$|^XNOVU_BUILD$|^PORT$|^FUNCTION_|^FUNCTIONS_TRUST_", name))])
    error_message = "function_settings must hold no secrets (secret_versions names those), and nothing that is set here: XNOVU_BUILD, PORT, FUNCTION_*, FUNCTIONS_TRUST_PLATFORM_IDENTITY; callers are known by IAM, not by FUNCTIONS_API_KEYS."
  }
}

variable "function_size" {
  description = "Processors and memory of an instance of health, status, trigger and webhook, and how many calls it answers at once; below one processor that is one."
  type        = object({ cpu = optional(number, 1), memory = optional(string, "512Mi"), concurrency = optional(number, 40) })
  default     = {}

  validation {
    condition     = var.function_size.concurrency >= 1 && var.function_size.concurrency <= 1000
    error_message = "function_size.concurrency must be from 1 to 1000: Cloud Run hands an instance no more calls at once."
  }
}

variable "health_invokers" {
  description = "Who may call health besides Google's uptime checks, by names of your choice: IAM members."
  type        = map(string)
  default     = {}
}

variable "image" {
  description = "The image of every part, by digest: ...@sha256:<64 hexadecimal digits>."
  type        = string

  validation {
    condition     = can(regex("^[^@ ]+@sha256:[0-9a-f]{64}$", var.image))
    error_message = "image must be named by its digest (...@sha256:...): a tag may mean something else tomorrow."
  }
}

variable "kept_worker_builds" {
  description = "Images of earlier builds whose pools stay because they still have work. Cloud Build finds them (infra/cloudbuild/keep_builds); by hand use worker_builds."
  type        = list(string)
  default     = []
}

variable "labels" {
  description = "Labels of everything that takes some."
  type        = map(string)
  default     = {}
}

variable "listener_count" {
  description = "How many listeners. They share the enterprises; when one dies the others take over within 30 s. More than sixteen are of no use."
  type        = number
  default     = 1

  validation {
    condition     = var.listener_count >= 1 && floor(var.listener_count) == var.listener_count
    error_message = "listener_count must be a whole number, 1 or more: without a listener nothing is noticed."
  }
}

variable "listener_settings" {
  description = "Further settings of the listener, by the names of docs/configuration.md, such as SUBSCRIPTION_MAX_RETRIES."
  type        = map(string)
  default     = {}

  validation {
    condition     = !anytrue([for name in keys(var.listener_settings) : can(regex("KEY$|_KEY_|SECRET|TOKEN|PASSWORD|^XNOVU_BUILD$|^PROBE_PORT$", name))])
    error_message = "listener_settings must hold no secrets (secret_versions names those), and nothing that this module sets: XNOVU_BUILD, PROBE_PORT."
  }
}

variable "listener_size" {
  description = "Processors and memory of a listener."
  type        = object({ cpu = optional(string, "1"), memory = optional(string, "512Mi") })
  default     = {}
}

variable "log_level" {
  description = "debug, info, warn or error."
  type        = string
  default     = "info"

  validation {
    condition     = contains(["debug", "info", "warn", "error"], var.log_level)
    error_message = "log_level must be debug, info, warn or error."
  }
}

variable "notification_channels" {
  description = "Names of further notification channels, such as projects/P/notificationChannels/N, that are told of every alert."
  type        = list(string)
  default     = []
}

variable "notification_claim_lease_seconds" {
  description = "How long a claim is believed after its worker was last heard of."
  type        = number
  default     = 120

  validation {
    condition     = var.notification_claim_lease_seconds >= 30
    error_message = "notification_claim_lease_seconds must be at least 30: Temporal gives a dead worker's delivery to another after 15 s without heartbeat, and the drain before it takes up to 10; the claim must outlast both."
  }
}

variable "novu_api_url" {
  description = "Novu's address, or a self-hosted one's, without /v1."
  type        = string
  default     = "https://api.novu.co"

  validation {
    condition     = startswith(var.novu_api_url, "https://")
    error_message = "novu_api_url must begin with https://."
  }
}

variable "novu_keys" {
  description = "Keys to Novu of enterprises' own: by the name after NOVU_SECRET_KEY__, the version of the secret novu_secret_key_<name in small letters>, which bootstrap's secrets must name."
  type        = map(number)
  default     = {}

  validation {
    condition = alltrue([
      for name, version in var.novu_keys : can(regex("^[A-Z0-9_]{1,64}$", name)) && version >= 1 && floor(version) == version
    ])
    error_message = "novu_keys: names are 1 to 64 of A-Z, 0-9, _; versions whole numbers, 1 or more."
  }
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

variable "scheduler_region" {
  description = "Where Cloud Scheduler runs, if it is not to be had in region."
  type        = string
  default     = null
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

  validation {
    condition = alltrue([
      for version in values(var.secret_versions) : version == null ? true : version >= 1 && floor(version) == version
    ])
    error_message = "secret_versions must be whole numbers, 1 or more: `latest` does not reach what runs already."
  }

  validation {
    condition     = (var.secret_versions.temporal_tls_client_cert == null) == (var.secret_versions.temporal_tls_client_key == null)
    error_message = "secret_versions: temporal_tls_client_cert and temporal_tls_client_key go together."
  }
}

variable "static_egress_cidr" {
  description = "Range of a subnetwork, at least a /26, from which everything goes out by one static address; null: no network of our own."
  type        = string
  default     = null

  validation {
    condition     = var.static_egress_cidr == null || var.vpc_access == null
    error_message = "static_egress_cidr and vpc_access exclude each other."
  }
}

variable "supabase_url" {
  description = "The Supabase project's address, https://..."
  type        = string

  validation {
    condition     = startswith(var.supabase_url, "https://")
    error_message = "supabase_url must begin with https://."
  }
}

variable "temporal" {
  description = "Where Temporal is: address is host:port. tls is true for everything but a server inside your own network; with an API key it is anyway."
  type = object({
    address    = string
    namespace  = optional(string, "default")
    task_queue = optional(string, "xnovu-notification-processing")
    tls        = optional(bool, true)
  })

  validation {
    condition     = can(regex("^[^:/ ]+:[0-9]{1,5}$", var.temporal.address))
    error_message = "temporal.address must be host:port, such as europe-west3.gcp.api.temporal.io:7233."
  }
}

variable "trace_share" {
  description = "Share of notifications that are traced, 0 to 1."
  type        = number
  default     = 0.1

  validation {
    condition     = var.trace_share >= 0 && var.trace_share <= 1
    error_message = "trace_share must be from 0 to 1."
  }
}

variable "trigger_cpu_always" {
  description = "Whether trigger has its processor between calls too (billed by instance): the traces of its last calls are sent then."
  type        = bool
  default     = false
}

variable "trigger_max_instances" {
  description = "The most instances of trigger."
  type        = number
  default     = 4
}

variable "vpc_access" {
  description = "A network that is there already, for Direct VPC egress: egress is ALL_TRAFFIC or PRIVATE_RANGES_ONLY."
  type = object({
    connector  = optional(string)
    egress     = optional(string, "ALL_TRAFFIC")
    network    = string
    subnetwork = string
    tags       = optional(list(string), [])
  })
  default = null

  validation {
    condition     = var.vpc_access == null || try(var.vpc_access.connector, null) == null
    error_message = "vpc_access.connector: Serverless VPC Access connectors fail on worker pools. Name network and subnetwork (Direct VPC egress)."
  }

  validation {
    condition     = var.vpc_access == null || contains(["ALL_TRAFFIC", "PRIVATE_RANGES_ONLY"], try(var.vpc_access.egress, ""))
    error_message = "vpc_access.egress must be ALL_TRAFFIC or PRIVATE_RANGES_ONLY."
  }
}

variable "webhook_max_instances" {
  description = "The most instances of webhook."
  type        = number
  default     = 4

  validation {
    condition     = var.webhook_max_instances >= 1
    error_message = "webhook_max_instances must be at least 1."
  }
}

variable "worker_builds" {
  description = "With worker_versioning: images of earlier builds, by digest, whose workflows have not all ended (`xnovu deploy`)."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for image in var.worker_builds : can(regex("^[^@ ]+@sha256:[0-9a-f]{64}$", image))])
    error_message = "worker_builds must be named by their digests (...@sha256:...)."
  }

  validation {
    condition     = length(var.worker_builds) == 0 || var.worker_versioning
    error_message = "worker_builds needs worker_versioning = true: without it there is one pool."
  }
}

variable "worker_concurrency" {
  description = "How many activities and workflow tasks a worker has at once."
  type = object({
    activities = optional(number, 100)
    workflows  = optional(number, 50)
  })
  default = {}

  validation {
    condition     = var.worker_concurrency.activities >= 1 && var.worker_concurrency.workflows >= 2
    error_message = "worker_concurrency: activities must be at least 1, workflows at least 2."
  }
}

variable "worker_instances" {
  description = "How many workers with autoscaler = fixed; in prod at least 1."
  type        = number
  default     = 1

  validation {
    condition     = var.worker_instances >= 0 && floor(var.worker_instances) == var.worker_instances
    error_message = "worker_instances must be a whole number, 0 or more."
  }

  validation {
    condition     = var.environment != "prod" || var.autoscaler != "fixed" || var.worker_instances >= 1
    error_message = "worker_instances must be at least 1 in prod."
  }
}

variable "worker_max_instances" {
  description = "The most workers there may be."
  type        = number

  validation {
    condition     = var.worker_max_instances >= max(1, var.worker_min_instances)
    error_message = "worker_max_instances must be at least 1 and worker_min_instances."
  }
}

variable "worker_min_instances" {
  description = "The fewest workers there are; in prod at least 1."
  type        = number

  validation {
    condition     = var.worker_min_instances >= 0 && floor(var.worker_min_instances) == var.worker_min_instances
    error_message = "worker_min_instances must be a whole number, 0 or more."
  }

  validation {
    condition     = var.environment != "prod" || var.worker_min_instances >= 1
    error_message = "worker_min_instances must be at least 1 in prod: a notification must not wait for a worker to start."
  }
}

variable "worker_settings" {
  description = "Further settings of the worker, by the names of docs/configuration.md."
  type        = map(string)
  default     = {}

  validation {
    condition     = !anytrue([for name in keys(var.worker_settings) : can(regex("KEY$|_KEY_|SECRET|TOKEN|PASSWORD|^XNOVU_BUILD$|^PROBE_PORT$|^WORKER_SHUTDOWN_GRACE_SECONDS$|^NOTIFICATION_CLAIM_LEASE_SECONDS$|^TEMPORAL_WORKER_DEPLOYMENT_NAME$", name))])
    error_message = "worker_settings must hold no secrets (secret_versions names those), and nothing that has a variable here."
  }
}

variable "worker_shutdown_grace_seconds" {
  description = "How long deliveries may finish after SIGTERM. What has not is given to another worker, which repeats it without sending twice."
  type        = number
  default     = 6

  validation {
    # Cloud Run kills after 10 s; results, telemetry and the end of the process take up to a second each.
    condition     = var.worker_shutdown_grace_seconds > 0 && var.worker_shutdown_grace_seconds + 1 + 1 + 1 <= 10
    error_message = "worker_shutdown_grace_seconds must be above 0 and at most 7: Cloud Run kills 10 s after SIGTERM, and results, telemetry and the end take up to 1 s each. A longer drain would be cut off within an activity."
  }
}

variable "worker_size" {
  description = "Processors and memory of a worker."
  type        = object({ cpu = optional(string, "1"), memory = optional(string, "1Gi") })
  default     = {}
}

variable "worker_versioning" {
  description = "Whether each build has a pool of its own and Temporal's Worker Versioning (docs/versioning.md). autoscaler = temporal needs it."
  type        = bool
  default     = false

  validation {
    condition     = var.worker_versioning || var.autoscaler != "temporal"
    error_message = "worker_versioning must be true with autoscaler = temporal: it scales one pool for each build."
  }
}
