package wire

// Limits that every transport of the protocol has; package pluginkit says what they
// are, and has the rest.
const (
	MaxMessage   = 4 << 20
	MaxPiece     = 1 << 20
	MaxLog       = 16 << 10
	MaxFailure   = 4 << 10
	MaxArguments = 256 << 20
)
