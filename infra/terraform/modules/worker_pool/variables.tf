variable "args" {
  description = "Arguments of the image's entry point, such as [\"worker\"]."
  type        = list(string)
}

variable "cpu" {
  description = "Processors of an instance: 1, 2, 4, 6 or 8."
  type        = string
  default     = "1"

  validation {
    condition     = contains(["1", "2", "4", "6", "8"], var.cpu)
    error_message = "cpu must be 1, 2, 4, 6 or 8: Cloud Run's worker pools have no others."
  }
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

variable "instances" {
  description = "How many instances; null: a scaler sets that, and Terraform leaves it alone."
  type        = number

  validation {
    condition     = var.instances == null ? true : var.instances >= 0 && floor(var.instances) == var.instances
    error_message = "instances must be a whole number, 0 or more."
  }
}

variable "labels" {
  description = "Labels of the pool and its revisions."
  type        = map(string)
  default     = {}
}

variable "memory" {
  description = "Memory of an instance, at least 512Mi."
  type        = string
  default     = "512Mi"
}

variable "name" {
  description = "The pool's name."
  type        = string
}

variable "project_id" {
  description = "The project it belongs to."
  type        = string
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
