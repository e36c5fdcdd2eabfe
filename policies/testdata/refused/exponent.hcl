variable "a" {
  default = "${1e999999999}"
}
