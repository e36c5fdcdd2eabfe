package host

// SetBesideGuest changes what a sandbox process may use beside its guest.
func SetBesideGuest(bytes uint64) (restore func()) {
	before := besideGuest
	besideGuest = bytes
	return func() { besideGuest = before }
}

// SetCompileMemory changes what a compiling process may use.
func SetCompileMemory(bytes uint64) (restore func()) {
	before := compileMemory
	compileMemory = bytes
	return func() { compileMemory = before }
}

// SetMaxInvoked lowers how many calls may come of one, and returns what sets it back.
func SetMaxInvoked(n int64) (restore func()) {
	before := maxInvoked
	maxInvoked = n
	return func() { maxInvoked = before }
}
