package smpp

import "fmt"

// Status is a command_status (SMPP 3.4, 5.1.3).
type Status uint32

// The statuses of SMPP 3.4, and those of SMPP 5.0 (4.7.6) that SMSCs with version
// 3.4 send as well.
const (
	StatusOK              Status = 0x00
	StatusInvMsgLen       Status = 0x01
	StatusInvCmdLen       Status = 0x02
	StatusInvCmdID        Status = 0x03
	StatusInvBndSts       Status = 0x04
	StatusAlyBnd          Status = 0x05
	StatusInvPrtFlg       Status = 0x06
	StatusInvRegDlvFlg    Status = 0x07
	StatusSysErr          Status = 0x08
	StatusInvSrcAdr       Status = 0x0A
	StatusInvDstAdr       Status = 0x0B
	StatusInvMsgID        Status = 0x0C
	StatusBindFail        Status = 0x0D
	StatusInvPaswd        Status = 0x0E
	StatusInvSysID        Status = 0x0F
	StatusCancelFail      Status = 0x11
	StatusReplaceFail     Status = 0x13
	StatusMsgQFul         Status = 0x14
	StatusInvSerTyp       Status = 0x15
	StatusInvNumDests     Status = 0x33
	StatusInvDLName       Status = 0x34
	StatusInvDestFlag     Status = 0x40
	StatusInvSubRep       Status = 0x42
	StatusInvEsmClass     Status = 0x43
	StatusCntSubDL        Status = 0x44
	StatusSubmitFail      Status = 0x45
	StatusInvSrcTON       Status = 0x48
	StatusInvSrcNPI       Status = 0x49
	StatusInvDstTON       Status = 0x50
	StatusInvDstNPI       Status = 0x51
	StatusInvSysTyp       Status = 0x53
	StatusInvRepFlag      Status = 0x54
	StatusInvNumMsgs      Status = 0x55
	StatusThrottled       Status = 0x58
	StatusInvSched        Status = 0x61
	StatusInvExpiry       Status = 0x62
	StatusInvDftMsgID     Status = 0x63
	StatusRxTAppn         Status = 0x64
	StatusRxPAppn         Status = 0x65
	StatusRxRAppn         Status = 0x66
	StatusQueryFail       Status = 0x67
	StatusInvOptParStream Status = 0xC0
	StatusOptParNotAllwd  Status = 0xC1
	StatusInvParLen       Status = 0xC2
	StatusMissingOptParam Status = 0xC3
	StatusInvOptParamVal  Status = 0xC4
	StatusDeliveryFailure Status = 0xFE
	StatusUnknownErr      Status = 0xFF
	StatusSerTypUnauth    Status = 0x100
	StatusProhibited      Status = 0x101
	StatusSerTypUnavail   Status = 0x102
	StatusSerTypDenied    Status = 0x103
	StatusInvDCS          Status = 0x104
	StatusInvSrcAddrSub   Status = 0x105
	StatusInvDstAddrSub   Status = 0x106
)

var statusNames = map[Status]string{
	StatusOK: "ESME_ROK", StatusInvMsgLen: "ESME_RINVMSGLEN", StatusInvCmdLen: "ESME_RINVCMDLEN",
	StatusInvCmdID: "ESME_RINVCMDID", StatusInvBndSts: "ESME_RINVBNDSTS", StatusAlyBnd: "ESME_RALYBND",
	StatusInvPrtFlg: "ESME_RINVPRTFLG", StatusInvRegDlvFlg: "ESME_RINVREGDLVFLG", StatusSysErr: "ESME_RSYSERR",
	StatusInvSrcAdr: "ESME_RINVSRCADR", StatusInvDstAdr: "ESME_RINVDSTADR", StatusInvMsgID: "ESME_RINVMSGID",
	StatusBindFail: "ESME_RBINDFAIL", StatusInvPaswd: "ESME_RINVPASWD", StatusInvSysID: "ESME_RINVSYSID",
	StatusCancelFail: "ESME_RCANCELFAIL", StatusReplaceFail: "ESME_RREPLACEFAIL", StatusMsgQFul: "ESME_RMSGQFUL",
	StatusInvSerTyp: "ESME_RINVSERTYP", StatusInvNumDests: "ESME_RINVNUMDESTS", StatusInvDLName: "ESME_RINVDLNAME",
	StatusInvDestFlag: "ESME_RINVDESTFLAG", StatusInvSubRep: "ESME_RINVSUBREP", StatusInvEsmClass: "ESME_RINVESMCLASS",
	StatusCntSubDL: "ESME_RCNTSUBDL", StatusSubmitFail: "ESME_RSUBMITFAIL", StatusInvSrcTON: "ESME_RINVSRCTON",
	StatusInvSrcNPI: "ESME_RINVSRCNPI", StatusInvDstTON: "ESME_RINVDSTTON", StatusInvDstNPI: "ESME_RINVDSTNPI",
	StatusInvSysTyp: "ESME_RINVSYSTYP", StatusInvRepFlag: "ESME_RINVREPFLAG", StatusInvNumMsgs: "ESME_RINVNUMMSGS",
	StatusThrottled: "ESME_RTHROTTLED", StatusInvSched: "ESME_RINVSCHED", StatusInvExpiry: "ESME_RINVEXPIRY",
	StatusInvDftMsgID: "ESME_RINVDFTMSGID", StatusRxTAppn: "ESME_RX_T_APPN", StatusRxPAppn: "ESME_RX_P_APPN",
	StatusRxRAppn: "ESME_RX_R_APPN", StatusQueryFail: "ESME_RQUERYFAIL", StatusInvOptParStream: "ESME_RINVOPTPARSTREAM",
	StatusOptParNotAllwd: "ESME_ROPTPARNOTALLWD", StatusInvParLen: "ESME_RINVPARLEN",
	StatusMissingOptParam: "ESME_RMISSINGOPTPARAM", StatusInvOptParamVal: "ESME_RINVOPTPARAMVAL",
	StatusDeliveryFailure: "ESME_RDELIVERYFAILURE", StatusUnknownErr: "ESME_RUNKNOWNERR",
	StatusSerTypUnauth: "ESME_RSERTYPUNAUTH", StatusProhibited: "ESME_RPROHIBITED",
	StatusSerTypUnavail: "ESME_RSERTYPUNAVAIL", StatusSerTypDenied: "ESME_RSERTYPDENIED", StatusInvDCS: "ESME_RINVDCS",
	StatusInvSrcAddrSub: "ESME_RINVSRCADDRSUBUNIT", StatusInvDstAddrSub: "ESME_RINVDSTADDRSUBUNIT",
}

// String is the name in the specification, such as ESME_RTHROTTLED, or the number
// where it has none: SMSCs send codes of their own (0x22, 0x94, 0x400 and up).
func (s Status) String() string {
	if name, ok := statusNames[s]; ok {
		return name
	}
	return s.hex()
}

func (s Status) hex() string { return fmt.Sprintf("0x%02X", uint32(s)) }

// Label names the status with its number: ESME_RINVDSTADR (0x0B).
func (s Status) Label() string {
	if name, ok := statusNames[s]; ok {
		return fmt.Sprintf("%s (%s)", name, s.hex())
	}
	return s.hex()
}

// StatusError says that the peer answered a request of ours with an error.
type StatusError struct {
	Command Command // of the request
	Status  Status
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("smpp: %s: the peer answered %s", e.Command, e.Status.Label())
}
