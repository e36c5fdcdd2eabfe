ringfence {
  isolation = "strikt"
}
