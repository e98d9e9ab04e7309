variable "applier" {
  description = "Who applies the deployment, as an IAM member: it may have things run as these accounts."
  type        = string
}

variable "prefix" {
  description = "What their names begin with, such as xnovu-prod."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,18}[a-z0-9]$", var.prefix))
    error_message = "prefix must be 3 to 20 of lower-case letters, digits and dashes: service accounts' names have 30 at most."
  }
}

variable "project_id" {
  description = "The project they belong to, and whose telemetry they may write."
  type        = string
}

variable "secrets" {
  description = "Which secrets the deployment has, such as supabase_service_role_key: each part reads its own."
  type        = set(string)
}

variable "temporal_principals" {
  description = "Temporal's service accounts that scale, with autoscaler = temporal: they may act as the invoker."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for principal in var.temporal_principals : startswith(principal, "serviceAccount:")])
    error_message = "temporal_principals must be service accounts: serviceAccount:..."
  }
}
