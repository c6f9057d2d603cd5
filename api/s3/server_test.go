package s3

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	"go.uber.org/goleak"

	"mayfly/host/secret"
	"mayfly/storage/catalog"
	"mayfly/storage/fs"
	"mayfly/storage/meta"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// endpoint is a server with an embedded store, and the credentials of two
// tenants.
type endpoint struct {
	*httptest.Server
	catalog *catalog.Catalog
	keyring Keyring
	ann     Credential
	bob     Credential
}

func newEndpoint(t testing.TB, change func(*Options)) *endpoint {
	t.Helper()
	folder := t.TempDir()
	records, err := meta.Open(t.Context(), filepath.Join(folder, "meta.db"), meta.Options{})
	if err != nil {
		t.Fatal(err)
	}
	secrets, err := secret.New(records, make([]byte, secret.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	store, err := fs.Open(t.Context(), filepath.Join(folder, "objects"), fs.Options{})
	if err != nil {
		t.Fatal(err)
	}
	buckets, err := catalog.New(catalog.Options{Embedded: store})
	if err != nil {
		t.Fatal(err)
	}
	keyring := Keyring{secrets}
	e := &endpoint{catalog: buckets, keyring: keyring}
	if e.ann, err = keyring.Create(t.Context(), "laptop", "ann"); err != nil {
		t.Fatal(err)
	}
	if e.bob, err = keyring.Create(t.Context(), "", "bob"); err != nil {
		t.Fatal(err)
	}
	options := Options{Catalog: buckets, Credentials: keyring}
	if change != nil {
		change(&options)
	}
	s, err := New(options)
	if err != nil {
		t.Fatal(err)
	}
	e.Server = httptest.NewUnstartedServer(s)
	e.Config = s.HTTPServer()
	e.Start()
	t.Cleanup(func() {
		e.CloseClientConnections()
		e.Close()
		if err := errors.Join(buckets.Close(), store.Close(), records.Close(context.Background())); err != nil {
			t.Error(err)
		}
	})
	return e
}

// client is the AWS client of a credential.
func (e *endpoint) client(t testing.TB, c Credential, change func(*s3.Options)) *s3.Client {
	address := e.Listener.Addr().String()
	transport := &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}}
	t.Cleanup(transport.CloseIdleConnections)
	return s3.New(s3.Options{
		Region: "eu-central-1", BaseEndpoint: aws.String(e.URL), UsePathStyle: true, HTTPClient: &http.Client{Transport: transport},
		Credentials: credentials.NewStaticCredentialsProvider(c.ID, c.Secret, ""), RetryMaxAttempts: 1,
	}, func(o *s3.Options) {
		if change != nil {
			change(o)
		}
	})
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantCode(t testing.TB, err error, code string) {
	t.Helper()
	var e smithy.APIError
	if !errors.As(err, &e) || e.ErrorCode() != code {
		t.Errorf("got %v, want %s", err, code)
	}
}

// keys are hard ones.
var keys = []string{
	"plain", "a/b/c", "with space", "plus+sign", "ünï/cödé/日本語", "percent%20", "a//b", "./dot", "../dot", "a/../b", "trailing/", "quote\"'<>&", "~-_.!*()", "new\nline",
	strings.Repeat("k", 1024), "?query=1&x", "#fragment", "back\\slash", "=a=b",
}

func TestObjects(t *testing.T) {
	for _, style := range []struct {
		name   string
		change func(*s3.Options)
	}{
		{"path", nil},
		{"virtual host", func(o *s3.Options) { o.UsePathStyle, o.BaseEndpoint = false, aws.String("http://localhost:9000") }},
	} {
		t.Run(style.name, func(t *testing.T) {
			e := newEndpoint(t, nil)
			c, ctx := e.client(t, e.ann, style.change), t.Context()
			_, err := c.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("reports")})
			check(t, err)
			_, err = c.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("reports")})
			wantCode(t, err, "BucketAlreadyOwnedByYou")
			_, err = c.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: aws.String("reports")})
			check(t, err)
			for _, key := range keys {
				_, err := c.PutObject(ctx, &s3.PutObjectInput{
					Bucket: aws.String("reports"), Key: aws.String(key), Body: strings.NewReader("content of " + key), ContentType: aws.String("text/plain"),
					Metadata: map[string]string{"purpose": "test"}, CacheControl: aws.String("no-store"), ContentEncoding: aws.String("identity"), StorageClass: types.StorageClassStandardIa,
				})
				if err != nil {
					t.Errorf("put %q: %v", key, err)
					continue
				}
				got, err := c.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("reports"), Key: aws.String(key)})
				if err != nil {
					t.Errorf("get %q: %v", key, err)
					continue
				}
				content, err := io.ReadAll(got.Body)
				if err != nil || string(content) != "content of "+key || *got.ContentType != "text/plain" || got.Metadata["purpose"] != "test" ||
					*got.CacheControl != "no-store" || *got.ContentEncoding != "identity" || got.StorageClass != types.StorageClassStandardIa {
					t.Errorf("get %q: %q, %v, %+v", key, content, err, got)
				}
			}
			list, err := c.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: aws.String("reports"), EncodingType: types.EncodingTypeUrl})
			check(t, err)
			if len(list.Contents) != len(keys) || *list.KeyCount != int32(len(keys)) || *list.IsTruncated {
				t.Errorf("the list has %d of %d keys", len(list.Contents), len(keys))
			}
			for _, key := range keys {
				_, err := c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: aws.String("reports"), Key: aws.String(key)})
				check(t, err)
				_, err = c.HeadObject(ctx, &s3.HeadObjectInput{Bucket: aws.String("reports"), Key: aws.String(key)})
				wantCode(t, err, "NotFound")
				_, err = c.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("reports"), Key: aws.String(key)})
				wantCode(t, err, "NoSuchKey")
			}
			_, err = c.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: aws.String("reports")})
			check(t, err)
			_, err = c.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("reports"), Key: aws.String("x")})
			wantCode(t, err, "NoSuchBucket")
		})
	}
}

// ready makes a bucket with objects.
func ready(t *testing.T, c *s3.Client, contents map[string]string) {
	t.Helper()
	_, err := c.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("box")})
	check(t, err)
	for key, content := range contents {
		_, err := c.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("box"), Key: aws.String(key), Body: strings.NewReader(content)})
		check(t, err)
	}
}

func TestRangesAndConditions(t *testing.T) {
	e := newEndpoint(t, nil)
	c, ctx := e.client(t, e.ann, nil), t.Context()
	ready(t, c, map[string]string{"k": "0123456789"})
	for _, x := range []struct{ header, want, contentRange string }{
		{"bytes=2-4", "234", "bytes 2-4/10"}, {"bytes=8-", "89", "bytes 8-9/10"}, {"bytes=-3", "789", "bytes 7-9/10"}, {"bytes=5-100", "56789", "bytes 5-9/10"},
		{"bytes=0-0", "0", "bytes 0-0/10"}, {"bytes=1-2,4-5", "0123456789", ""}, {"items=1-2", "0123456789", ""}, {"bytes=4-2", "0123456789", ""},
	} {
		got, err := c.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("box"), Key: aws.String("k"), Range: aws.String(x.header)})
		check(t, err)
		content, _ := io.ReadAll(got.Body)
		if string(content) != x.want || aws.ToString(got.ContentRange) != x.contentRange {
			t.Errorf("%s: %q %q", x.header, content, aws.ToString(got.ContentRange))
		}
	}
	for _, header := range []string{"bytes=10-", "bytes=-0"} {
		_, err := c.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("box"), Key: aws.String("k"), Range: aws.String(header)})
		wantCode(t, err, "InvalidRange")
	}
	head, err := c.HeadObject(ctx, &s3.HeadObjectInput{Bucket: aws.String("box"), Key: aws.String("k")})
	check(t, err)
	if *head.ETag != `"781e5e245d69b566979b86e28d23f2c7"` || *head.ContentLength != 10 {
		t.Errorf("head: %s %d", *head.ETag, *head.ContentLength)
	}
	for _, x := range []struct {
		in   s3.GetObjectInput
		code string
	}{
		{s3.GetObjectInput{IfMatch: head.ETag}, ""},
		{s3.GetObjectInput{IfMatch: aws.String(`"no"`)}, "PreconditionFailed"},
		{s3.GetObjectInput{IfNoneMatch: head.ETag}, "NotModified"},
		{s3.GetObjectInput{IfModifiedSince: head.LastModified}, "NotModified"},
		{s3.GetObjectInput{IfModifiedSince: aws.Time(head.LastModified.Add(-time.Second))}, ""},
		{s3.GetObjectInput{IfUnmodifiedSince: head.LastModified}, ""},
		{s3.GetObjectInput{IfUnmodifiedSince: aws.Time(head.LastModified.Add(-time.Second))}, "PreconditionFailed"},
	} {
		x.in.Bucket, x.in.Key = aws.String("box"), aws.String("k")
		_, err := c.GetObject(ctx, &x.in)
		if x.code == "" {
			check(t, err)
		} else {
			wantCode(t, err, x.code)
		}
	}
	_, err = c.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("box"), Key: aws.String("k"), IfNoneMatch: aws.String("*")})
	wantCode(t, err, "PreconditionFailed")
	_, err = c.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("box"), Key: aws.String("k"), IfMatch: aws.String(`"x"`)})
	wantCode(t, err, "PreconditionFailed")
	_, err = c.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("box"), Key: aws.String("k"), IfMatch: head.ETag, Body: strings.NewReader("new")})
	check(t, err)
	_, err = c.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("box"), Key: aws.String("k"), ContentMD5: aws.String("AAAAAAAAAAAAAAAAAAAAAA=="), Body: strings.NewReader("x")})
	wantCode(t, err, "BadDigest")
	_, err = c.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("box"), Key: aws.String("k"), ChecksumSHA256: aws.String("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="), Body: strings.NewReader("x")})
	wantCode(t, err, "BadDigest")
	got, err := c.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("box"), Key: aws.String("k"), ResponseContentType: aws.String("text/x")})
	check(t, err)
	if content, _ := io.ReadAll(got.Body); string(content) != "new" || *got.ContentType != "text/x" {
		t.Errorf("after refused puts: %q", content)
	}
}

func TestLists(t *testing.T) {
	e := newEndpoint(t, nil)
	c, ctx := e.client(t, e.ann, nil), t.Context()
	contents := map[string]string{}
	want := "a/1 a/2 b c/d/1 c/d/2 c/e f"
	for key := range strings.FieldsSeq(want) {
		contents[key] = key
	}
	ready(t, c, contents)
	for _, size := range []int32{1, 2, 3, 1000} {
		for delimiter, want := range map[string]string{"": want, "/": "a/ b c/ f"} {
			var first, second []string
			pages := s3.NewListObjectsV2Paginator(c, &s3.ListObjectsV2Input{Bucket: aws.String("box"), MaxKeys: &size, Delimiter: &delimiter})
			for pages.HasMorePages() {
				page, err := pages.NextPage(ctx)
				check(t, err)
				second = append(second, merged(page.Contents, page.CommonPrefixes)...)
			}
			marker := (*string)(nil)
			for range 10 {
				page, err := c.ListObjects(ctx, &s3.ListObjectsInput{Bucket: aws.String("box"), MaxKeys: &size, Delimiter: &delimiter, Marker: marker})
				check(t, err)
				first = append(first, merged(page.Contents, page.CommonPrefixes)...)
				if marker = page.NextMarker; !*page.IsTruncated {
					break
				}
			}
			if got := strings.Join(second, " "); got != want {
				t.Errorf("version 2, %d a page, delimiter %q: %s", size, delimiter, got)
			}
			if got := strings.Join(first, " "); got != want {
				t.Errorf("version 1, %d a page, delimiter %q: %s", size, delimiter, got)
			}
		}
	}
	page, err := c.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: aws.String("box"), Prefix: aws.String("c/"), Delimiter: aws.String("/"), StartAfter: aws.String("c/d/1")})
	check(t, err)
	if got := strings.Join(merged(page.Contents, page.CommonPrefixes), " "); got != "c/d/ c/e" {
		t.Errorf("after c/d/1: %s", got)
	}
	_, err = c.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: aws.String("box"), ContinuationToken: aws.String("made up")})
	wantCode(t, err, "InvalidArgument")
	deleted, err := c.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: aws.String("box"), Delete: &types.Delete{Objects: []types.ObjectIdentifier{
		{Key: aws.String("a/1")}, {Key: aws.String("not there")}, {Key: aws.String("box"), VersionId: aws.String("v")}}}})
	check(t, err)
	if len(deleted.Deleted) != 2 || len(deleted.Errors) != 1 || *deleted.Errors[0].Code != "NoSuchVersion" {
		t.Errorf("delete of many: %+v", deleted)
	}
	_, err = c.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: aws.String("box")})
	wantCode(t, err, "BucketNotEmpty")
}

// merged are keys and groups in order.
func merged(objects []types.Object, prefixes []types.CommonPrefix) (names []string) {
	for len(objects)+len(prefixes) > 0 {
		if len(prefixes) == 0 || len(objects) > 0 && *objects[0].Key < *prefixes[0].Prefix {
			names = append(names, *objects[0].Key)
			objects = objects[1:]
		} else {
			names = append(names, *prefixes[0].Prefix)
			prefixes = prefixes[1:]
		}
	}
	return names
}

func TestUploads(t *testing.T) {
	e := newEndpoint(t, nil)
	c, ctx := e.client(t, e.ann, nil), t.Context()
	part := bytes.Repeat([]byte("0123456789abcdef"), 5<<20/16)
	ready(t, c, map[string]string{"source": string(part)})
	b, key := aws.String("box"), aws.String("big")
	created, err := c.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: b, Key: key, ContentType: aws.String("text/plain"), ChecksumAlgorithm: types.ChecksumAlgorithmCrc32})
	check(t, err)
	id := created.UploadId
	var done []types.CompletedPart
	for n := int32(1); n <= 2; n++ {
		p, err := c.UploadPart(ctx, &s3.UploadPartInput{Bucket: b, Key: key, UploadId: id, PartNumber: &n, Body: bytes.NewReader(part), ChecksumAlgorithm: types.ChecksumAlgorithmCrc32})
		check(t, err)
		if aws.ToString(p.ChecksumCRC32) == "" {
			t.Error("the part's checksum is not answered")
		}
		done = append(done, types.CompletedPart{PartNumber: &n, ETag: p.ETag, ChecksumCRC32: p.ChecksumCRC32})
	}
	copied, err := c.UploadPartCopy(ctx, &s3.UploadPartCopyInput{Bucket: b, Key: key, UploadId: id, PartNumber: aws.Int32(3), CopySource: aws.String("box/source"), CopySourceRange: aws.String("bytes=0-9")})
	check(t, err)
	parts, err := c.ListParts(ctx, &s3.ListPartsInput{Bucket: b, Key: key, UploadId: id, MaxParts: aws.Int32(2)})
	check(t, err)
	if len(parts.Parts) != 2 || !*parts.IsTruncated || *parts.NextPartNumberMarker != "2" || *parts.Parts[1].Size != 5<<20 {
		t.Errorf("parts: %+v", parts)
	}
	uploads, err := c.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: b})
	check(t, err)
	if len(uploads.Uploads) != 1 || *uploads.Uploads[0].Key != "big" || *uploads.Uploads[0].UploadId != *id {
		t.Errorf("uploads: %+v", uploads)
	}
	complete := func(parts ...types.CompletedPart) (*s3.CompleteMultipartUploadOutput, error) {
		return c.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: b, Key: key, UploadId: id, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts}})
	}
	_, err = complete(done[1], done[0])
	wantCode(t, err, "InvalidPartOrder")
	_, err = complete(types.CompletedPart{PartNumber: aws.Int32(1), ETag: aws.String(`"other"`)})
	wantCode(t, err, "InvalidPart")
	_, err = complete(types.CompletedPart{PartNumber: aws.Int32(3), ETag: copied.CopyPartResult.ETag}, types.CompletedPart{PartNumber: aws.Int32(4), ETag: aws.String(`"x"`)})
	wantCode(t, err, "InvalidPart")
	ended, err := complete(append(done, types.CompletedPart{PartNumber: aws.Int32(3), ETag: copied.CopyPartResult.ETag})...)
	check(t, err)
	if !strings.HasSuffix(*ended.ETag, `-3"`) {
		t.Errorf("ETag %s", *ended.ETag)
	}
	got, err := c.GetObject(ctx, &s3.GetObjectInput{Bucket: b, Key: key})
	check(t, err)
	content, err := io.ReadAll(got.Body)
	check(t, err)
	if want := string(part) + string(part) + "0123456789"; string(content) != want || *got.ContentType != "text/plain" {
		t.Errorf("%d bytes of %d, or others", len(content), len(want))
	}
	created, err = c.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: b, Key: key})
	check(t, err)
	_, err = c.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: b, Key: key, UploadId: created.UploadId})
	check(t, err)
	_, err = c.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: b, Key: key, UploadId: created.UploadId})
	wantCode(t, err, "NoSuchUpload")
}

func TestCopies(t *testing.T) {
	e := newEndpoint(t, nil)
	c, ctx := e.client(t, e.ann, nil), t.Context()
	ready(t, c, map[string]string{"a ü+": "content"})
	_, err := c.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("other")})
	check(t, err)
	for _, to := range []string{"box", "other"} {
		_, err := c.CopyObject(ctx, &s3.CopyObjectInput{Bucket: aws.String(to), Key: aws.String("copy"), CopySource: aws.String("box/a%20%C3%BC%2B"), StorageClass: types.StorageClassStandardIa})
		check(t, err)
		_, err = c.CopyObject(ctx, &s3.CopyObjectInput{Bucket: aws.String(to), Key: aws.String("copy"), CopySource: aws.String(to + "/copy"), MetadataDirective: types.MetadataDirectiveReplace, Metadata: map[string]string{"a": "b"}})
		check(t, err)
		head, err := c.HeadObject(ctx, &s3.HeadObjectInput{Bucket: aws.String(to), Key: aws.String("copy")})
		check(t, err)
		if head.Metadata["a"] != "b" || *head.ContentLength != 7 {
			t.Errorf("%s: %+v", to, head)
		}
		_, err = c.CopyObject(ctx, &s3.CopyObjectInput{Bucket: aws.String(to), Key: aws.String("copy"), CopySource: aws.String("box/a%20%C3%BC%2B"), CopySourceIfMatch: aws.String("no")})
		wantCode(t, err, "PreconditionFailed")
		_, err = c.CopyObject(ctx, &s3.CopyObjectInput{Bucket: aws.String(to), Key: aws.String("copy"), CopySource: aws.String("box/missing")})
		wantCode(t, err, "NoSuchKey")
	}
	_, err = c.CopyObject(ctx, &s3.CopyObjectInput{Bucket: aws.String("box"), Key: aws.String("copy"), CopySource: aws.String("box/copy")})
	wantCode(t, err, "InvalidRequest")
}

// A credential opens the buckets of its tenant alone.
func TestTenants(t *testing.T) {
	e := newEndpoint(t, nil)
	ann, bob, ctx := e.client(t, e.ann, nil), e.client(t, e.bob, nil), t.Context()
	ready(t, ann, map[string]string{"k": "ann's"})
	_, err := bob.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("box"), Key: aws.String("k")})
	wantCode(t, err, "NoSuchBucket")
	_, err = bob.CopyObject(ctx, &s3.CopyObjectInput{Bucket: aws.String("box"), Key: aws.String("k"), CopySource: aws.String("box/k")})
	wantCode(t, err, "NoSuchBucket")
	ready(t, bob, map[string]string{"k": "bob's"})
	got, err := ann.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("box"), Key: aws.String("k")})
	check(t, err)
	if content, _ := io.ReadAll(got.Body); string(content) != "ann's" {
		t.Errorf("ann reads %q", content)
	}
	list, err := bob.ListBuckets(ctx, &s3.ListBucketsInput{})
	check(t, err)
	if len(list.Buckets) != 1 || *list.Owner.ID != "bob" {
		t.Errorf("bob's buckets: %+v", list)
	}
	_, err = ann.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: aws.String("box")})
	wantCode(t, err, "NoSuchBucketPolicy")
	_, err = ann.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("box"), Key: aws.String("k"), ACL: types.ObjectCannedACLPublicRead})
	wantCode(t, err, "NotImplemented")
	_, err = ann.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("box"), Key: aws.String("k"), ServerSideEncryption: types.ServerSideEncryptionAes256})
	wantCode(t, err, "NotImplemented")
}
