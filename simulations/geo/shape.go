package geo

// Busy is how busy a working day is at a local hour; its mean over a day is 1.
func Busy(hour float64) float64 { return shape(hour) }
