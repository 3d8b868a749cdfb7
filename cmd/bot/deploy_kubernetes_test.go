package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"citebot/internal/chat"
	"citebot/internal/chat/web"
	"citebot/internal/citations"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/yaml"
)

// A cluster is what deploy/kubernetes makes, by names.
type cluster struct {
	t         testing.TB
	kustom    kustomization
	sets      map[string]*appsv1.StatefulSet
	services  map[string]*corev1.Service
	budgets   []*policyv1.PodDisruptionBudget
	policies  []*networkingv1.NetworkPolicy
	namespace *corev1.Namespace
	secret    *corev1.Secret // the example
}

// A kustomization is what we use of a kustomization.yaml; whatever else is in it is an error.
type kustomization struct {
	APIVersion         string   `json:"apiVersion"`
	Kind               string   `json:"kind"`
	Namespace          string   `json:"namespace"`
	Resources          []string `json:"resources"`
	Images             []struct{ Name, NewName, NewTag string }
	ConfigMapGenerator []configMap `json:"configMapGenerator"`
}

type configMap struct {
	Name    string                               `json:"name"`
	Files   []string                             `json:"files"`
	Options struct{ DisableNameSuffixHash bool } `json:"options"`
}

func loadCluster(t testing.TB, edit func(string) string) *cluster {
	t.Helper()
	c := &cluster{t: t, sets: map[string]*appsv1.StatefulSet{}, services: map[string]*corev1.Service{}}
	if err := yaml.UnmarshalStrict([]byte(deployFile(t, "kubernetes/kustomization.yaml")), &c.kustom); err != nil {
		t.Fatalf("kustomization.yaml: %v", err)
	}
	for _, file := range append([]string{"secret.example.yaml"}, c.kustom.Resources...) {
		text := edit(deployFile(t, "kubernetes/"+file))
		for _, document := range regexp.MustCompile(`(?m)^---\n`).Split(text, -1) {
			c.add(file, document)
		}
	}
	return c
}

// add decodes an object as the API server does that was told to be strict.
func (c *cluster) add(file, document string) {
	c.t.Helper()
	object, _, err := strict.Decode([]byte(document), nil, nil)
	if err != nil {
		c.t.Fatalf("%s: %v", file, err)
	}
	switch o := object.(type) {
	case *corev1.Namespace:
		c.namespace = o
	case *corev1.Secret:
		c.secret = o
	case *corev1.Service:
		c.services[o.Name] = o
	case *appsv1.StatefulSet:
		c.sets[o.Name] = o
	case *policyv1.PodDisruptionBudget:
		c.budgets = append(c.budgets, o)
	case *networkingv1.NetworkPolicy:
		c.policies = append(c.policies, o)
	default:
		c.t.Fatalf("%s: nothing is known of %T", file, o)
	}
}

// strict knows the official types, and finds fault with fields that they lack.
var strict = func() *json.Serializer {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, appsv1.AddToScheme, policyv1.AddToScheme, networkingv1.AddToScheme} {
		if err := add(scheme); err != nil {
			panic(err)
		}
	}
	return json.NewSerializerWithOptions(json.DefaultMetaFactory, scheme, scheme, json.SerializerOptions{Yaml: true, Strict: true})
}()

func TestKubernetes(t *testing.T) {
	t.Run("as it is", func(t *testing.T) {
		checkCluster(t, loadCluster(t, func(text string) string { return text }), nil)
	})
	t.Run("with chat platforms", func(t *testing.T) {
		on := func(text string) string { return commented.ReplaceAllString(text, "$1$2") }
		checkCluster(t, loadCluster(t, on), []string{"Slack", "Discord"})
	})
}

func checkCluster(t *testing.T, c *cluster, platforms []string) {
	c.checkKustomization()
	for _, set := range c.sets {
		c.checkPod(set)
		c.checkVolumes(set)
		c.checkProbes(set)
	}
	c.checkSelectors()
	c.checkBot(t, platforms)
	checkQdrantImage(t, c.sets["qdrant"].Spec.Template.Spec.Containers[0].Image)
	for key, value := range c.secret.StringData {
		if !strings.HasPrefix(value, "FILL-IN") {
			t.Errorf("secret.example.yaml holds %q for %s", value, key)
		}
	}
}

// checkKustomization checks that it names what is there. The example is not among it: its
// words must never become somebody's secret.
func (c *cluster) checkKustomization() {
	c.t.Helper()
	files, err := filepath.Glob(deployDir + "/kubernetes/*.yaml")
	if err != nil {
		c.t.Fatal(err)
	}
	other := []string{"kustomization.yaml", "bot.yaml", "secret.example.yaml"}
	for _, file := range files {
		if name := filepath.Base(file); slices.Contains(other, name) == slices.Contains(c.kustom.Resources, name) {
			c.t.Errorf("kustomization.yaml has %s for a resource: %v", name, slices.Contains(c.kustom.Resources, name))
		}
	}
	for _, m := range c.kustom.ConfigMapGenerator {
		// Documents are followed in the running bot, which a name with a hash would replace.
		if follows := m.Name == "citebot-docs"; m.Options.DisableNameSuffixHash != follows {
			c.t.Errorf("%s has a hash in its name: %v", m.Name, follows)
		}
		for _, file := range m.Files {
			deployFile(c.t, "kubernetes/"+file)
		}
	}
	if c.namespace.Name != c.kustom.Namespace || c.namespace.Labels["pod-security.kubernetes.io/enforce"] != "restricted" {
		c.t.Errorf("the namespace is %s: %v", c.namespace.Name, c.namespace.Labels)
	}
}

// checkPod checks what the restricted standard asks for, and some more:
// https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted
func (c *cluster) checkPod(set *appsv1.StatefulSet) {
	c.t.Helper()
	pod, box := set.Spec.Template.Spec, set.Spec.Template.Spec.Containers[0]
	who, may := pod.SecurityContext, box.SecurityContext
	is := func(b *bool, want bool) bool { return b != nil && *b == want }
	for what, ok := range map[string]bool{
		"it runs as somebody":            is(who.RunAsNonRoot, true) && *who.RunAsUser > 0 && *who.RunAsGroup > 0,
		"its volumes are its own":        *who.FSGroup == *who.RunAsGroup,
		"it may make usual calls only":   who.SeccompProfile.Type == corev1.SeccompProfileTypeRuntimeDefault,
		"it gains no privilege":          is(may.AllowPrivilegeEscalation, false) && may.Privileged == nil,
		"its root is read-only":          is(may.ReadOnlyRootFilesystem, true),
		"it has no capability":           slices.Equal(may.Capabilities.Drop, []corev1.Capability{"ALL"}) && may.Capabilities.Add == nil,
		"it cannot speak to the cluster": is(pod.AutomountServiceAccountToken, false),
		"it is told of no services":      is(pod.EnableServiceLinks, false),
		"its memory is limited":          !box.Resources.Limits.Memory().IsZero() && !box.Resources.Requests.Memory().IsZero(),
		"it has processor to begin with": !box.Resources.Requests.Cpu().IsZero(),
		"it is one container":            len(pod.Containers) == 1 && len(pod.InitContainers) == 0,
	} {
		if !ok {
			c.t.Errorf("%s: it is not so that %s", set.Name, what)
		}
	}
}

// checkVolumes checks that each mount has a volume and each volume its source.
func (c *cluster) checkVolumes(set *appsv1.StatefulSet) {
	c.t.Helper()
	from := map[string]corev1.VolumeSource{}
	for _, claim := range set.Spec.VolumeClaimTemplates {
		from[claim.Name] = corev1.VolumeSource{}
	}
	for _, v := range set.Spec.Template.Spec.Volumes {
		from[v.Name] = v.VolumeSource
		if m := v.ConfigMap; m != nil && !slices.ContainsFunc(c.kustom.ConfigMapGenerator, func(g configMap) bool { return g.Name == m.Name }) {
			c.t.Errorf("%s: no ConfigMap %s is made", set.Name, m.Name)
		}
		if v.Secret != nil && v.Secret.SecretName != c.secret.Name {
			c.t.Errorf("%s: there is no Secret %s", set.Name, v.Secret.SecretName)
		}
	}
	for _, m := range set.Spec.Template.Spec.Containers[0].VolumeMounts {
		source, ok := from[m.Name]
		if !ok {
			c.t.Errorf("%s: %s mounts %s, which there is not", set.Name, m.MountPath, m.Name)
		}
		if m.SubPath != "" || m.ReadOnly != (source.ConfigMap != nil || source.Secret != nil) {
			c.t.Errorf("%s: %s: read-only %v, subPath %q, which would not follow changes", set.Name, m.MountPath, m.ReadOnly, m.SubPath)
		}
		delete(from, m.Name)
	}
	if len(from) > 0 {
		c.t.Errorf("%s: volumes that nothing mounts: %v", set.Name, from)
	}
}

func (c *cluster) checkProbes(set *appsv1.StatefulSet) {
	c.t.Helper()
	box := set.Spec.Template.Spec.Containers[0]
	for name, want := range map[string]struct {
		probe *corev1.Probe
		path  string
	}{
		"startup":   {box.StartupProbe, "/livez /readyz"},
		"liveness":  {box.LivenessProbe, "/livez"},
		"readiness": {box.ReadinessProbe, "/readyz"},
	} {
		p := want.probe
		if p == nil || p.HTTPGet == nil || !slices.Contains(strings.Fields(want.path), p.HTTPGet.Path) {
			c.t.Errorf("%s: the %s probe is %v", set.Name, name, p)
			continue
		}
		if port(box, p.HTTPGet.Port) == 0 {
			c.t.Errorf("%s: the %s probe asks at %v", set.Name, name, p.HTTPGet.Port)
		}
		if set.Name == "citebot" && !served(c.t, p.HTTPGet.Path) {
			c.t.Errorf("the web does not serve %s to a probe", p.HTTPGet.Path)
		}
	}
}

// port is the number of a container's port, 0 if it has none of that name.
func port(box corev1.Container, named intstr.IntOrString) int32 {
	for _, p := range box.Ports {
		if p.Name == named.StrVal {
			return p.ContainerPort
		}
	}
	return 0
}

// served asks the bot's own web surface, as a kubelet does: without a token, at an address.
func served(t testing.TB, page string) bool {
	t.Helper()
	site, err := web.New(web.Config{
		Ask: func(context.Context, chat.Question, func(chat.Progress)) (citations.Answer, error) { panic("asked") },
		Search: func(context.Context, string, []chat.Turn, []string, int) (any, error) {
			panic("searched")
		},
		Documents: func() []web.Document { return nil },
		Source:    func(string) (web.Source, bool) { return web.Source{}, false },
		Ready:     func() web.Readiness { return web.Readiness{Ready: true} },
		Addr:      "0.0.0.0:8080",
		Token:     webToken,
	})
	if err != nil {
		t.Fatal(err)
	}
	answer := httptest.NewRecorder()
	site.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "http://10.1.2.3:8080"+page, nil))
	return answer.Code == http.StatusOK
}

// checkSelectors checks that whatever selects pods selects some, by ports that they have.
func (c *cluster) checkSelectors() {
	c.t.Helper()
	for _, set := range c.sets {
		if len(c.selected(set.Spec.Selector)) != 1 || c.services[set.Spec.ServiceName] == nil {
			c.t.Errorf("%s selects %v and is governed by the Service %s", set.Name, set.Spec.Selector, set.Spec.ServiceName)
		}
	}
	for _, s := range c.services {
		pods := c.selected(&metav1.LabelSelector{MatchLabels: s.Spec.Selector})
		for _, p := range s.Spec.Ports {
			if len(pods) != 1 || port(pods[0].Spec.Containers[0], p.TargetPort) == 0 {
				c.t.Errorf("Service %s leads to port %v of %d kinds of pods", s.Name, p.TargetPort, len(pods))
			}
		}
		if s.Spec.Type != "" {
			c.t.Errorf("Service %s is open to the outside: %s", s.Name, s.Spec.Type)
		}
	}
	for _, b := range c.budgets {
		if len(c.selected(b.Spec.Selector)) != 1 || b.Spec.MinAvailable != nil {
			c.t.Errorf("%s would keep a node from being drained, or is of no pod", b.Name)
		}
	}
	c.checkPolicies()
}

// selected are the kinds of pods that a selector finds.
func (c *cluster) selected(by *metav1.LabelSelector) (pods []corev1.PodTemplateSpec) {
	c.t.Helper()
	selector, err := metav1.LabelSelectorAsSelector(by)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, set := range c.sets {
		if selector.Matches(labels.Set(set.Spec.Template.Labels)) {
			pods = append(pods, set.Spec.Template)
		}
	}
	return pods
}

// checkPolicies checks that each pod may do nothing but what a policy of its own allows.
func (c *cluster) checkPolicies() {
	c.t.Helper()
	denied := 0
	for _, p := range c.policies {
		pods := c.selected(&p.Spec.PodSelector)
		if len(p.Spec.PolicyTypes) != 2 || len(pods) == 0 {
			c.t.Errorf("%s is of %v and of %d kinds of pods", p.Name, p.Spec.PolicyTypes, len(pods))
		}
		if len(p.Spec.Ingress)+len(p.Spec.Egress) == 0 {
			denied = len(pods)
		}
		for _, in := range p.Spec.Ingress {
			for _, at := range in.Ports {
				if port(pods[0].Spec.Containers[0], *at.Port) == 0 || len(in.From) == 0 {
					c.t.Errorf("%s lets %d peers in at %v", p.Name, len(in.From), at.Port)
				}
			}
		}
		for _, out := range p.Spec.Egress {
			c.checkEgress(p.Name, out)
		}
	}
	if denied != len(c.sets) {
		c.t.Errorf("%d of %d kinds of pods are denied what is not allowed", denied, len(c.sets))
	}
}

// checkEgress checks that a port with a name is one of the pods in this namespace that it
// leads to.
func (c *cluster) checkEgress(name string, out networkingv1.NetworkPolicyEgressRule) {
	c.t.Helper()
	for _, at := range out.Ports {
		if at.Port.Type == intstr.Int {
			continue
		}
		pods := c.selected(out.To[0].PodSelector)
		if len(pods) != 1 || port(pods[0].Spec.Containers[0], *at.Port) == 0 {
			c.t.Errorf("%s lets out to %v of %d kinds of pods", name, at.Port, len(pods))
		}
	}
}

// checkBot checks that the bot finds what it is given.
func (c *cluster) checkBot(t *testing.T, platforms []string) {
	t.Helper()
	set := c.sets["citebot"]
	box := set.Spec.Template.Spec.Containers[0]
	checkCommand(t, box.Args...)
	im := imageOf(t)
	env := im.env
	for _, v := range box.Env {
		env[v.Name] = v.Value
		if strings.HasSuffix(v.Name, "_FILE") && !c.holds(set, v.Value) {
			t.Errorf("%s: %s is in no Secret", v.Name, v.Value)
		}
	}
	checkMemory(t, env, box.Resources.Limits.Memory().Value())
	cfg := checkSettings(t, env, deployDir+"/kubernetes/bot.yaml")
	if got := cfg.platforms(); !slices.Equal(got, platforms) {
		t.Errorf("the bot joins %q, not %q", got, platforms)
	}
	for where, volume := range map[string]string{cfg.Docs: "docs", cfg.State: "state", im.dir: "config", "/tmp": "tmp"} {
		if got := mounted(box, where); got != volume {
			t.Errorf("%s is the volume %q, not %q", where, got, volume)
		}
	}
	if cfg.HTTP != fmt.Sprintf("0.0.0.0:%d", box.Ports[0].ContainerPort) || cfg.Qdrant.URL != fmt.Sprintf("http://qdrant:%d", c.services["qdrant"].Spec.Ports[0].Port) {
		t.Errorf("it listens on %s and looks for Qdrant at %s", cfg.HTTP, cfg.Qdrant.URL)
	}
	c.checkLife(im)
}

// checkLife checks that the bot is the image's, has the time to stop that it takes, and leaves
// its ledger behind.
func (c *cluster) checkLife(im image) {
	c.t.Helper()
	set := c.sets["citebot"]
	pod, box := set.Spec.Template.Spec, set.Spec.Template.Spec.Containers[0]
	if name, _, _ := strings.Cut(box.Image, ":"); name != c.kustom.Images[0].Name {
		c.t.Errorf("kustomization.yaml sets the image %s, not %s", c.kustom.Images[0].Name, name)
	}
	if *pod.SecurityContext.RunAsUser != int64(im.uid) || *pod.SecurityContext.RunAsGroup != int64(im.gid) {
		c.t.Error("it does not run as the image's user, who owns its folders")
	}
	pause := time.Duration(box.Lifecycle.PreStop.Sleep.Seconds) * time.Second
	if grace := time.Duration(*pod.TerminationGracePeriodSeconds) * time.Second; grace < pause+stopWithin {
		c.t.Errorf("it is killed after %v, and takes %v after a pause of %v", grace, stopWithin, pause)
	}
	if set.Spec.PersistentVolumeClaimRetentionPolicy.WhenDeleted != appsv1.RetainPersistentVolumeClaimRetentionPolicyType {
		c.t.Error("deleting it deletes the ledger")
	}
}

// mounted is the volume at a path.
func mounted(box corev1.Container, where string) string {
	for _, m := range box.VolumeMounts {
		if m.MountPath == where {
			return m.Name
		}
	}
	return ""
}

// holds says whether a file is a key of the Secret that is mounted there.
func (c *cluster) holds(set *appsv1.StatefulSet, file string) bool {
	_, known := c.secret.StringData[path.Base(file)]
	volume := mounted(set.Spec.Template.Spec.Containers[0], path.Dir(file))
	return known && slices.ContainsFunc(set.Spec.Template.Spec.Volumes, func(v corev1.Volume) bool {
		return v.Name == volume && v.Secret != nil
	})
}

// The files also make sense to kubectl, where there is one.
func TestKustomize(t *testing.T) {
	kubectl, err := exec.LookPath("kubectl")
	if err != nil {
		t.Skip(err)
	}
	cmd := exec.Command(kubectl, "kustomize", deployDir+"/kubernetes")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`(?m)^  name: citebot-docs$`,                // the documents' name does not change with them
		`(?m)^  name: citebot-config-[a-z0-9]{10}$`, // the configuration's does
		`(?m)^ +name: citebot-config-[a-z0-9]{10}\n +name: config$`,
		`(?m)^  namespace: citebot$`,
	} {
		if !regexp.MustCompile(want).Match(out) {
			t.Errorf("kubectl kustomize gives nothing like %s", want)
		}
	}
}
