package guest

import "unsafe"

// address is where a buffer lies in linear memory. The number keeps nothing
// alive: the caller does.
func address(buffer []byte) uintptr {
	return uintptr(unsafe.Pointer(unsafe.SliceData(buffer)))
}
