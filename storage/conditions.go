package storage

import "time"

// Check judges the conditions on what is there; current is nil if nothing is.
func (c WriteConditions) Check(current *Object) error {
	switch {
	case c.IfMatch != "":
		if current == nil || c.IfMatch != "*" && c.IfMatch != current.ETag {
			return ErrPreconditionFailed
		}
	case !c.IfUnmodifiedSince.IsZero():
		if current != nil && current.Modified.After(c.IfUnmodifiedSince) {
			return ErrPreconditionFailed
		}
	}
	switch {
	case c.IfNoneMatch != "":
		if current != nil && (c.IfNoneMatch == "*" || c.IfNoneMatch == current.ETag) {
			return ErrPreconditionFailed
		}
	case !c.IfModifiedSince.IsZero():
		if current == nil || !current.Modified.After(c.IfModifiedSince) {
			return ErrPreconditionFailed
		}
	}
	return nil
}

// Check judges the conditions on an object, in the order of RFC 9110, section
// 13.2.2. Times are compared in whole seconds, as HTTP dates are.
func (c ReadConditions) Check(o Object) error {
	modified := o.Modified.Truncate(time.Second)
	if c.IfMatch != "" {
		if c.IfMatch != "*" && c.IfMatch != o.ETag {
			return ErrPreconditionFailed
		}
	} else if !c.IfUnmodifiedSince.IsZero() && modified.After(c.IfUnmodifiedSince) {
		return ErrPreconditionFailed
	}
	if c.IfNoneMatch != "" {
		if c.IfNoneMatch == "*" || c.IfNoneMatch == o.ETag {
			return ErrNotModified
		}
	} else if !c.IfModifiedSince.IsZero() && !modified.After(c.IfModifiedSince) {
		return ErrNotModified
	}
	return nil
}

// Resolve turns a range into the offset and length of an object of size
// bytes. A nil range is all of it.
func (r *Range) Resolve(size int64) (offset, length int64, err error) {
	switch {
	case r == nil:
		return 0, size, nil
	case r.Offset < 0 || r.Length < 0 || r.Suffix < 0:
		return 0, 0, ErrInvalidRange
	case r.Suffix > 0:
		if r.Offset != 0 || r.Length != 0 || size == 0 {
			return 0, 0, ErrInvalidRange
		}
		length = min(r.Suffix, size)
		return size - length, length, nil
	case r.Offset >= size && !(r.Offset == 0 && r.Length == 0):
		return 0, 0, ErrInvalidRange
	case r.Length == 0 || r.Length > size-r.Offset:
		return r.Offset, size - r.Offset, nil
	}
	return r.Offset, r.Length, nil
}
