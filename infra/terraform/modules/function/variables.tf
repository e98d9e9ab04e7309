variable "concurrency" {
  description = "Calls that an instance answers at once."
  type        = number
  default     = 40
}

variable "cpu" {
  description = "Processors of an instance; below 1 it answers one call at a time."
  type        = number
  default     = 1

  validation {
    condition     = var.cpu >= 1 || (var.cpu >= 0.08 && !var.cpu_always)
    error_message = "cpu must be at least 0.08, and at least 1 with cpu_always: Cloud Run bills less by the call only."
  }
}

variable "cpu_always" {
  description = "Whether an instance has its processor between calls too (billed by instance). Traces of a function's last calls are sent then."
  type        = bool
  default     = false
}

variable "description" {
  description = "What people read."
  type        = string
}

variable "environment" {
  description = "Environment variables that are no secrets."
  type        = map(string)
}

variable "image" {
  description = "The image, by digest: ...@sha256:<64 hexadecimal digits>."
  type        = string

  validation {
    condition     = can(regex("^[^@ ]+@sha256:[0-9a-f]{64}$", var.image))
    error_message = "image must be named by its digest (...@sha256:...): a tag may mean something else tomorrow."
  }
}

variable "ingress" {
  description = "Who can reach it at all, before IAM is asked: INGRESS_TRAFFIC_INTERNAL_ONLY (Cloud Scheduler and uptime checks among them), INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER or INGRESS_TRAFFIC_ALL."
  type        = string
  default     = "INGRESS_TRAFFIC_INTERNAL_ONLY"

  validation {
    condition = contains([
      "INGRESS_TRAFFIC_ALL", "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER", "INGRESS_TRAFFIC_INTERNAL_ONLY",
    ], var.ingress)
    error_message = "ingress must be INGRESS_TRAFFIC_INTERNAL_ONLY, INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER or INGRESS_TRAFFIC_ALL."
  }
}

variable "invokers" {
  description = "Who may call it, by the names that callers choose: IAM members, such as {billing = \"serviceAccount:billing@...\"}."
  type        = map(string)

  validation {
    condition     = length(setintersection(values(var.invokers), ["allUsers", "allAuthenticatedUsers"])) == 0
    error_message = "invokers must not hold allUsers or allAuthenticatedUsers: a function trusts whoever IAM lets through."
  }
}

variable "labels" {
  description = "Labels of the service and its revisions."
  type        = map(string)
  default     = {}
}

variable "max_instances" {
  description = "The most instances there may be."
  type        = number
  default     = 4
}

variable "memory" {
  description = "Memory of an instance."
  type        = string
  default     = "512Mi"
}

variable "name" {
  description = "The service's name."
  type        = string
}

variable "project_id" {
  description = "The project it belongs to."
  type        = string
}

variable "public" {
  description = "Whether anybody may call it: webhook alone, which believes signatures and nothing else."
  type        = bool
  default     = false

  validation {
    condition     = !var.public || var.target == "webhook"
    error_message = "public must be false for every target but webhook: the others trust whoever IAM lets through."
  }
}

variable "region" {
  description = "Where it runs."
  type        = string
}

variable "secrets" {
  description = "Environment variables that are secrets: which one, and which version of it."
  type        = map(object({ secret = string, version = number }))
}

variable "service_account_email" {
  description = "Who it is."
  type        = string
}

variable "target" {
  description = "Which function: health, status, trigger, autoscale or webhook."
  type        = string

  validation {
    condition     = contains(["autoscale", "health", "status", "trigger", "webhook"], var.target)
    error_message = "target must be health, status, trigger, autoscale or webhook."
  }
}

variable "timeout_seconds" {
  description = "After so long Cloud Run ends a call."
  type        = number
  default     = 15
}

variable "vpc_access" {
  description = "Direct VPC egress; null: none."
  type = object({
    egress     = string
    network    = string
    subnetwork = string
    tags       = optional(list(string), [])
  })
  default = null
}
