variable "deletion_protection" {
  description = "Whether Terraform refuses to delete the secrets."
  type        = bool
  default     = true
}

variable "labels" {
  description = "Labels of the secrets."
  type        = map(string)
  default     = {}
}

variable "names" {
  description = "The secrets there are, such as supabase_service_role_key; in Secret Manager with the prefix, and dashes."
  type        = set(string)
}

variable "prefix" {
  description = "What their names in Secret Manager begin with, such as xnovu-prod."
  type        = string
}

variable "project_id" {
  description = "The project they belong to."
  type        = string
}

variable "values" {
  description = "Values of the secrets in written, by name. Not kept anywhere."
  type        = map(string)
  default     = {}
  ephemeral   = true
}

variable "written" {
  description = "Secrets of which Terraform writes a new version now, each with a number to count up when its value changes. Leave one out afterwards: the version stays."
  type        = map(number)
  default     = {}

  validation {
    condition     = length(setsubtract(keys(var.written), var.names)) == 0
    error_message = "written must hold only secrets that names has."
  }
}
