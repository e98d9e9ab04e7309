# How everything goes out: Google's changing addresses, one address of our own, or a network that is there already.

module "network" {
  source = "../modules/network"
  count  = var.static_egress_cidr != null ? 1 : 0

  project_id = var.project_id
  region     = var.region
  name       = "${local.prefix}-egress"
  cidr       = var.static_egress_cidr
}

locals {
  vpc_access = var.static_egress_cidr != null ? one(module.network).vpc_access : (
    var.vpc_access == null ? null : {
      egress     = var.vpc_access.egress
      network    = var.vpc_access.network
      subnetwork = var.vpc_access.subnetwork
      tags       = var.vpc_access.tags
    }
  )
}
