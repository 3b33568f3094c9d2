package addressing

import "context"

// Tie makes phone h's own, and gives whose it was; the zero Handle where it was nobody's. What it
// writes to a pool or shared Number over which nobody has written to it is h's.
func (b *Book) Tie(ctx context.Context, phone MSISDN, h Handle) (before Handle, err error) {
	err = b.change(ctx, phone, func(r *Record) (bool, error) {
		before = Handle{}
		if r.Owner != nil {
			before = r.Owner.Handle
		}
		if before == h {
			return false, nil
		}
		r.Owner = &Owner{Handle: h, At: b.now().UTC()}
		return true, nil
	})
	return before, err
}

// Untie undoes it. It tells whether the phone was h's own.
func (b *Book) Untie(ctx context.Context, phone MSISDN, h Handle) (changed bool, err error) {
	err = b.change(ctx, phone, func(r *Record) (bool, error) {
		if changed = r.Owner != nil && r.Owner.Handle == h; changed {
			r.Owner = nil
		}
		return changed, nil
	})
	return changed, err
}

// OwnerOfPhone is whose own the phone is; the zero Handle: nobody has said so.
func (b *Book) OwnerOfPhone(ctx context.Context, phone MSISDN) (Handle, error) {
	r, _, err := b.load(ctx, phone)
	if err != nil || r.Owner == nil {
		return Handle{}, err
	}
	return r.Owner.Handle, nil
}
