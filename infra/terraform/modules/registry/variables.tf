variable "labels" {
  description = "Labels of the repositories."
  type        = map(string)
  default     = {}
}

variable "project_id" {
  description = "The project it belongs to."
  type        = string
}

variable "readers" {
  description = "Who else may pull, by name: IAM members, such as the Cloud Run service agent of another project."
  type        = map(string)
  default     = {}

  validation {
    condition     = length(setintersection(values(var.readers), ["allUsers", "allAuthenticatedUsers"])) == 0
    error_message = "readers must not hold allUsers or allAuthenticatedUsers."
  }
}

variable "region" {
  description = "Where the images are."
  type        = string
}

variable "repository_id" {
  description = "Name of the repository; that of the layers ends in -cache."
  type        = string
}

variable "writers" {
  description = "Who may push, by name: IAM members."
  type        = map(string)
  default     = {}

  validation {
    condition     = length(setintersection(values(var.writers), ["allUsers", "allAuthenticatedUsers"])) == 0
    error_message = "writers must not hold allUsers or allAuthenticatedUsers."
  }
}
