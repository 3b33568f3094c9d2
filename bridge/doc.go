// Package bridge is the hub between messengers and SMSCs. It tells the story of a
// message each way and owns what the words mean: messages, states, reasons.
//
// From PC to phone (MT): a messenger adapter calls [Hub.Accept], which checks the
// request, finds the conversation and stores the message; a worker of the queue
// calls [Hub.DispatchMT] with it, which submits it, records the outcome and tells
// the sender. From phone to PC (MO): the smpp room calls [Hub.StoreMO] before it
// answers a deliver_sm; a worker calls [Hub.DispatchMO], which reads the message,
// joins segments, matches receipts and finds out whose it is; [Hub.DispatchOUT] hands it
// to the messenger.
//
// The hub declares what it needs of the rooms around it (ports.go) and imports none
// of them. Its methods may be called concurrently; the order within a conversation
// is kept by the queue, which never runs two Dispatch calls of one key at once.
package bridge
