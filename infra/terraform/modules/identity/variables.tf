variable "account_id" {
  description = "What comes before the @, 6 to 30 characters."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.account_id))
    error_message = "account_id must be 6 to 30 of lower-case letters, digits and dashes, and begin with a letter: shorten prefix."
  }
}

variable "display_name" {
  description = "What people read."
  type        = string
}

variable "project_id" {
  description = "The project it belongs to, and whose telemetry it may write."
  type        = string
}

variable "secret_ids" {
  description = "Names of the secrets that it may read."
  type        = set(string)
  default     = []
}
