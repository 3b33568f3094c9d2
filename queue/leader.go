package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"smsbridge/bridge"
)

// loadFromLeader reads a record of a bucket of a cluster where it was written: at the leader of
// its stream. The client's own Get takes the answer of any replica (ADR-31 of NATS, direct get),
// and one that lags behind, or is cut off from the others, answers with what was there before.
// A leader that is cut off takes no writes, and is none any more within some 10 seconds.
func (s *Store) loadFromLeader(ctx context.Context, bucket, key string) ([]byte, uint64, error) {
	request, err := json.Marshal(map[string]string{"last_by_subj": "$KV." + bucket + "." + key})
	if err != nil {
		return nil, 0, err
	}
	var answer struct {
		Error   *jetstream.APIError `json:"error"`
		Message struct {
			Data   []byte `json:"data"`
			Header []byte `json:"hdrs"`
			Seq    uint64 `json:"seq"`
		} `json:"message"`
	}
	_, err = s.patiently(ctx, func(ctx context.Context) error {
		answer.Error = nil
		msg, err := s.nc.RequestWithContext(ctx, "$JS.API.STREAM.MSG.GET.KV_"+bucket, request)
		if err == nil {
			err = json.Unmarshal(msg.Data, &answer)
		}
		if err == nil && answer.Error != nil {
			err = answer.Error
		}
		return err
	})
	var api *jetstream.APIError
	if errors.As(err, &api) && api.ErrorCode == jetstream.JSErrCodeMessageNotFound {
		return nil, 0, bridge.ErrNotFound
	}
	if err != nil {
		return nil, 0, fmt.Errorf("the NATS server does not answer: %w", err)
	}
	if len(answer.Message.Header) > 0 {
		header, err := nats.DecodeHeadersMsg(answer.Message.Header)
		if err != nil {
			return nil, 0, err
		}
		if header.Get("KV-Operation") != "" || header.Get(jetstream.MarkerReasonHeader) != "" {
			return nil, 0, bridge.ErrNotFound // deleted
		}
	}
	return answer.Message.Data, answer.Message.Seq, nil
}
