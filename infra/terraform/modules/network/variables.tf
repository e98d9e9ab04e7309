variable "cidr" {
  description = "Addresses of the subnetwork, at least a /26: Direct VPC egress takes up to two for each instance, and those of old revisions stay taken for some minutes."
  type        = string

  validation {
    condition     = can(cidrhost(var.cidr, 0)) && can(regex("/([89]|1[0-9]|2[0-6])$", var.cidr))
    error_message = "cidr must be a range such as 10.8.0.0/24, not smaller than /26."
  }
}

variable "name" {
  description = "Name of the network and all that is in it."
  type        = string
}

variable "project_id" {
  description = "The project it belongs to."
  type        = string
}

variable "region" {
  description = "Where the subnetwork is."
  type        = string
}
