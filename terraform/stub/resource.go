package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/hashicorp/terraform-plugin-go/tfprotov5"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// ValidateResourceTypeConfig refuses values for what AWS decides. All else that
// the schema says Terraform has checked before.
func (s *server) ValidateResourceTypeConfig(_ context.Context, q *tfprotov5.ValidateResourceTypeConfigRequest) (*tfprotov5.ValidateResourceTypeConfigResponse, error) {
	b := s.schemas.resources[q.TypeName]
	v, err := q.Config.Unmarshal(b.valueType())
	if err != nil {
		return nil, err
	}
	r := &tfprotov5.ValidateResourceTypeConfigResponse{}
	walk(b, v, q.TypeName, func(path string, a attribute, v tftypes.Value) tftypes.Value {
		if a.Computed && !a.Optional && !v.IsNull() {
			r.Diagnostics = append(r.Diagnostics, &tfprotov5.Diagnostic{
				Severity: tfprotov5.DiagnosticSeverityError,
				Summary:  "Value for an attribute that the provider decides", Detail: fmt.Sprintf("%s can't be set.", path),
			})
		}
		return v
	})
	return r, nil
}

func (s *server) UpgradeResourceState(_ context.Context, q *tfprotov5.UpgradeResourceStateRequest) (*tfprotov5.UpgradeResourceStateResponse, error) {
	t := s.schemas.resources[q.TypeName].valueType()
	v, err := q.RawState.UnmarshalWithOpts(t, tfprotov5.UnmarshalOpts{ValueFromJSONOpts: tftypes.ValueFromJSONOpts{IgnoreUndefinedAttributes: true}})
	if err != nil {
		return nil, err
	}
	d, err := tfprotov5.NewDynamicValue(t, v)
	return &tfprotov5.UpgradeResourceStateResponse{UpgradedState: &d}, err
}

// ReadResource finds everything as it was left: there is no drift here.
func (s *server) ReadResource(_ context.Context, q *tfprotov5.ReadResourceRequest) (*tfprotov5.ReadResourceResponse, error) {
	return &tfprotov5.ReadResourceResponse{NewState: q.CurrentState, Private: q.Private}, nil
}

// PlanResourceChange leaves open what AWS will decide of a new resource. Of one that
// is there already nothing changes but what the configuration says, and nothing
// makes it be replaced.
func (s *server) PlanResourceChange(_ context.Context, q *tfprotov5.PlanResourceChangeRequest) (*tfprotov5.PlanResourceChangeResponse, error) {
	b := s.schemas.resources[q.TypeName]
	t := b.valueType()
	prior, err := q.PriorState.Unmarshal(t)
	if err != nil {
		return nil, err
	}
	proposed, err := q.ProposedNewState.Unmarshal(t)
	if err != nil {
		return nil, err
	}
	if proposed.IsNull() || !prior.IsNull() {
		return &tfprotov5.PlanResourceChangeResponse{PlannedState: q.ProposedNewState, PlannedPrivate: q.PriorPrivate}, nil
	}
	planned := walk(b, proposed, q.TypeName, func(_ string, a attribute, v tftypes.Value) tftypes.Value {
		if a.Computed && v.IsNull() {
			return tftypes.NewValue(v.Type(), tftypes.UnknownValue)
		}
		return v
	})
	d, err := tfprotov5.NewDynamicValue(t, planned)
	return &tfprotov5.PlanResourceChangeResponse{PlannedState: &d}, err
}

// ApplyResourceChange invents what was left open.
func (s *server) ApplyResourceChange(_ context.Context, q *tfprotov5.ApplyResourceChangeRequest) (*tfprotov5.ApplyResourceChangeResponse, error) {
	b := s.schemas.resources[q.TypeName]
	t := b.valueType()
	planned, err := q.PlannedState.Unmarshal(t)
	if err != nil {
		return nil, err
	}
	if planned.IsNull() {
		return &tfprotov5.ApplyResourceChangeResponse{NewState: q.PlannedState}, nil
	}
	seed := seedOf(q.Config)
	state := walk(b, planned, q.TypeName, func(path string, _ attribute, v tftypes.Value) tftypes.Value {
		if v.IsKnown() {
			return v
		}
		return invent(seed, path, v.Type())
	})
	d, err := tfprotov5.NewDynamicValue(t, state)
	return &tfprotov5.ApplyResourceChangeResponse{NewState: &d}, err
}

func (s *server) ValidateDataSourceConfig(context.Context, *tfprotov5.ValidateDataSourceConfigRequest) (*tfprotov5.ValidateDataSourceConfigResponse, error) {
	return &tfprotov5.ValidateDataSourceConfigResponse{}, nil
}

// ReadDataSource invents all that is not given, but for the zones of a region.
func (s *server) ReadDataSource(_ context.Context, q *tfprotov5.ReadDataSourceRequest) (*tfprotov5.ReadDataSourceResponse, error) {
	b := s.schemas.data[q.TypeName]
	t := b.valueType()
	config, err := q.Config.Unmarshal(t)
	if err != nil {
		return nil, err
	}
	seed, region := seedOf(q.Config), regionOf(config)
	state := walk(b, config, q.TypeName, func(path string, a attribute, v tftypes.Value) tftypes.Value {
		switch {
		case !a.Computed || !v.IsNull():
			return v
		case path == "aws_availability_zones.names":
			return zonesIn(region, v.Type())
		case strings.HasSuffix(path, ".region"):
			return tftypes.NewValue(tftypes.String, region)
		}
		return invent(seed, path, v.Type())
	})
	d, err := tfprotov5.NewDynamicValue(t, state)
	return &tfprotov5.ReadDataSourceResponse{State: &d}, err
}

// regionOf is the region that a configuration names, or the usual one.
func regionOf(config tftypes.Value) string {
	var fields map[string]tftypes.Value
	var region string
	if config.As(&fields) == nil {
		if v, ok := fields["region"]; ok && v.IsKnown() && !v.IsNull() && v.As(&region) == nil && region != "" {
			return region
		}
	}
	return "us-east-1"
}
