// Package planet says what a cluster of any size would need, by a model: costs that the
// other simulations have measured, times rates that are assumed.
package planet
