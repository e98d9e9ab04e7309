variable "approvers" {
  description = "Who may approve that a plan is applied: IAM members."
  type        = list(string)
  default     = []

  validation {
    condition     = length(setintersection(var.approvers, ["allUsers", "allAuthenticatedUsers"])) == 0
    error_message = "approvers must not hold allUsers or allAuthenticatedUsers."
  }
}

variable "budget" {
  description = "What the project may cost in a month, in whole units of the billing account's currency, before its administrators are told; null: no budget."
  type = object({
    billing_account = string
    currency_code   = optional(string)
    units           = number
  })
  default = null
}

variable "environments" {
  description = "The environments in this project; prod is alone in its own. branch: a regular expression of the branch that deploys it, null for none; approval: whether somebody must approve; after: the environment of this project that an image must have passed first; secrets: which it has; written_secrets: those of which a version is written now (a number to count up when the value changes); temporal_principals: Temporal's service accounts that scale, with autoscaler = temporal."
  type = map(object({
    after               = optional(string)
    approval            = optional(bool, true)
    branch              = optional(string)
    secrets             = optional(set(string), ["novu_secret_key", "supabase_service_role_key", "temporal_api_key"])
    temporal_principals = optional(list(string), [])
    written_secrets     = optional(map(number), {})
  }))

  validation {
    condition     = length(setsubtract(keys(var.environments), ["dev", "staging", "prod"])) == 0
    error_message = "environments must be dev, staging or prod: each has its values in environments/."
  }

  validation {
    condition     = !contains(keys(var.environments), "prod") || length(var.environments) == 1
    error_message = "environments.prod must be alone in its project: who applies another environment there could change production's functions."
  }

  validation {
    condition     = alltrue([for environment in values(var.environments) : environment.after == null ? true : contains(keys(var.environments), environment.after)])
    error_message = "environments: after must name another environment of this project; with images, the images that another project has tested are taken."
  }

  validation {
    condition     = alltrue([for name, environment in var.environments : name != "prod" || environment.approval])
    error_message = "environments.prod.approval must be true: nothing reaches production unseen."
  }

  validation {
    condition = alltrue([
      for environment in values(var.environments) : length(setsubtract(
        [for name in environment.secrets : name if !can(regex("^novu_secret_key_[a-z0-9_]{1,64}$", name))],
        ["novu_secret_key", "novu_webhook_secrets", "supabase_service_role_key", "temporal_api_key", "temporal_tls_client_cert", "temporal_tls_client_key"],
      )) == 0
    ])
    error_message = "environments: secrets are novu_secret_key, novu_secret_key_<name> (an enterprise's own), novu_webhook_secrets, supabase_service_role_key, temporal_api_key, temporal_tls_client_cert, temporal_tls_client_key."
  }
}

variable "image_readers" {
  description = "Who else may pull images, by names of your choice: IAM members, such as the planner and the Cloud Run service agent of production's project."
  type        = map(string)
  default     = {}
}

variable "images" {
  description = "Where another project's bootstrap has the images that this one takes once they were tested there, such as production those of staging: repository is its output image_repository, tested is gs://<its state_bucket>/xnovu/staging/tested. null: images are built here."
  type        = object({ repository = string, tested = string })
  default     = null

  validation {
    condition     = var.images == null ? true : startswith(var.images.tested, "gs://")
    error_message = "images.tested must begin with gs://."
  }
}

variable "labels" {
  description = "Labels of everything that takes some."
  type        = map(string)
  default     = { app = "xnovu" }
}

variable "project_id" {
  description = "The project, which exists already and has a billing account."
  type        = string
}

variable "region" {
  description = "Where images, state and builds are."
  type        = string
}

variable "repository" {
  description = "The source's repository in Cloud Build, projects/P/locations/L/connections/C/repositories/R; null: no triggers."
  type        = string
  default     = null
}

variable "secret_values" {
  description = "Values of the secrets in written_secrets, by environment and name: as TF_VAR_secret_values. Not kept anywhere."
  type        = map(map(string))
  default     = {}
  ephemeral   = true
}

variable "state_bucket_name" {
  description = "Name of the state's bucket; null: the project's id and -xnovu-terraform."
  type        = string
  default     = null
}

variable "tested_readers" {
  description = "Who else may read which images an environment has passed, by names of your choice, such as the planner of production's project those of staging."
  type        = map(object({ member = string, environment = string }))
  default     = {}

  validation {
    condition     = alltrue([for reader in var.tested_readers : contains(keys(var.environments), reader.environment)])
    error_message = "tested_readers: each environment must be one of those of environments."
  }
}

variable "wait_seconds" {
  description = "How long after an API was turned on it is believed to answer."
  type        = number
  default     = 60
}
