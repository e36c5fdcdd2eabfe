variable "token" {
  default   = env("NOT_SET")
  sensitive = true
}

variable "region" {
}

variable "loop" {
  default = var.region
}

variable "list" {
  default = ["a"]
}

variable "1st" {
}

variable "token" {
}

secret "a" {
  value = var.token
}

secret "a" {
  file = "x"
}

secret "b" {
}

secret "c" {
  value = var.token
  file  = "x"
}

secret "d" {
  file = "missing.txt"
}

secret "e" {
  file = "/"
}

secret "f" {
  value = env("TOKEN")
}

plugin "a" {
  source = "${var.region}.wasm"
  env = {
    TOKEN  = var.token
    REGION = var.reigon
  }
}
