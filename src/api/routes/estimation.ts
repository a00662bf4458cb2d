/** Estimates, and how right they were. */
import { route, type Route } from '../route.ts'
import {
  Estimation,
  EstimationRequest,
  TrackRecordQuery,
  TrackRecords,
} from '../../control/schemas/estimation.ts'

export const ESTIMATION_ROUTES: Route[] = [
  route({
    method: 'POST',
    path: '/estimation/calculate',
    summary: 'Estimate the cores, memory and time of a job',
    tag: 'estimation',
    needs: 'viewer',
    body: EstimationRequest,
    answer: Estimation,
    status: 200,
    reads: true,
    run: async (service, { tenantId, body }) => ({ body: await service.estimate(tenantId, body) }),
  }),
  route({
    method: 'GET',
    path: '/estimation/track-record',
    summary: 'Show how right estimates were: predicted against actual, and the rule beside it',
    tag: 'estimation',
    needs: 'viewer',
    query: TrackRecordQuery,
    answer: TrackRecords,
    status: 200,
    run: async (service, { tenantId, query }) => ({
      body: { items: await service.trackRecords(tenantId, query.source_type) },
    }),
  }),
]
